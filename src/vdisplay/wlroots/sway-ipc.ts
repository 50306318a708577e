/**
 * Requests to a running sway over its IPC socket, one connection per request: sway answers in the
 * order it was asked, and nothing is kept open between two changes.
 */
import { connect } from 'node:net';
import {
  decodeSwayHeader,
  encodeSwayMessage,
  SWAY_HEADER_BYTES,
  SWAY_MESSAGE,
} from './sway-frame.ts';

const REPLY_TIMEOUT_MS = 5_000;

export interface SwayMode {
  readonly width: number;
  readonly height: number;
  readonly refreshMilliHz: number;
}

export interface SwayOutput {
  readonly name: string;
  readonly isActive: boolean;
  readonly isFocused: boolean;
  /** Null while the output is disabled. */
  readonly mode: SwayMode | null;
  /** Place in the layout, logical pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Runs one command (or several, separated by `;`); resolves to null or to sway's complaint. */
export async function runSwayCommand(socketPath: string, command: string): Promise<string | null> {
  const reply = await request(socketPath, SWAY_MESSAGE.runCommand, command);
  if (!Array.isArray(reply)) return 'sway gave no list of results';
  for (const result of reply) {
    if (textField(result, 'success') !== 'true')
      return textField(result, 'error') || 'no reason given';
  }
  return null;
}

export async function listSwayOutputs(socketPath: string): Promise<SwayOutput[]> {
  const reply = await request(socketPath, SWAY_MESSAGE.getOutputs, '');
  return Array.isArray(reply) ? reply.map(outputOf) : [];
}

/** Names of the workspaces that lie on an output, in sway's order. */
export async function listSwayWorkspaces(socketPath: string, output: string): Promise<string[]> {
  const reply = await request(socketPath, SWAY_MESSAGE.getWorkspaces, '');
  if (!Array.isArray(reply)) return [];
  return reply
    .filter((workspace) => textField(workspace, 'output') === output)
    .map((workspace) => textField(workspace, 'name'));
}

/** Version as `[major, minor]`; sway 1.8 brought `output … unplug`. */
export async function readSwayVersion(socketPath: string): Promise<readonly [number, number]> {
  const reply = await request(socketPath, SWAY_MESSAGE.getVersion, '');
  return [numberField(reply, 'major'), numberField(reply, 'minor')];
}

function request(socketPath: string, type: number, payload: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let received = new Uint8Array(0);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const fail = (cause: string) =>
      finish(() => reject(new Error(`sway IPC ${socketPath}: ${cause}`)));
    const timer = setTimeout(() => fail(`no answer in ${REPLY_TIMEOUT_MS} ms`), REPLY_TIMEOUT_MS);
    socket.on('connect', () => socket.write(encodeSwayMessage(type, payload)));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.on('close', () => fail('the connection was closed'));
    socket.on('data', (chunk: Uint8Array) => {
      const joined = new Uint8Array(received.length + chunk.length);
      joined.set(received);
      joined.set(chunk, received.length);
      received = joined;
      const header = decodeSwayHeader(received);
      if (typeof header === 'string') return fail(header);
      if (!header || received.length < SWAY_HEADER_BYTES + header.payloadBytes) return;
      const body = received.subarray(SWAY_HEADER_BYTES, SWAY_HEADER_BYTES + header.payloadBytes);
      try {
        const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
        finish(() => resolve(parsed));
      } catch {
        fail('the answer is not JSON');
      }
    });
  });
}

function outputOf(value: unknown): SwayOutput {
  const mode = field(value, 'current_mode');
  const rect = field(value, 'rect');
  const width = numberField(mode, 'width');
  return {
    name: textField(value, 'name'),
    isActive: textField(value, 'active') === 'true',
    isFocused: textField(value, 'focused') === 'true',
    mode:
      width > 0
        ? {
            width,
            height: numberField(mode, 'height'),
            refreshMilliHz: numberField(mode, 'refresh'),
          }
        : null,
    x: numberField(rect, 'x'),
    y: numberField(rect, 'y'),
    width: numberField(rect, 'width'),
    height: numberField(rect, 'height'),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' || typeof found === 'boolean' ? String(found) : '';
}

function numberField(value: unknown, name: string): number {
  const found = field(value, name);
  return typeof found === 'number' && Number.isFinite(found) ? found : 0;
}
