/** A Wayland compositor of a few lines for tests: sends what the test says, decodes requests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileInterface, type InterfaceSpec } from '../../src/desktop/wayland/interface.ts';
import { WL_DISPLAY, WL_REGISTRY } from '../../src/desktop/wayland/protocols/core.ts';
import {
  decodeArguments,
  decodeHeader,
  encodeMessage,
  type WireValue,
} from '../../src/desktop/wayland/wire.ts';

/** Bytes of one event. */
export function eventBytes(
  objectId: number,
  opcode: number,
  signature: string,
  values: readonly WireValue[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(4096));
  const end = encodeMessage(view, 0, objectId, opcode, signature, values, []) ?? 0;
  return new Uint8Array(view.buffer, 0, end);
}

export class FakeCompositor {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'pfwl-'));
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  constructor(onConnect: (socket: Socket) => void) {
    this.path = join(this.#directory, 'wayland-0');
    this.#server = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on('error', () => {});
      onConnect(socket);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.path, resolve));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

export interface ScriptedRequest {
  readonly objectId: number;
  readonly name: string;
  readonly values: readonly WireValue[];
}

/** One client of a scripted compositor: knows its objects, answers display and registry itself. */
export class ScriptedClient {
  readonly #socket: Socket;
  readonly #objects = new Map<number, InterfaceSpec>([[1, WL_DISPLAY]]);
  readonly #globals: readonly InterfaceSpec[];
  readonly #onRequest: (request: ScriptedRequest, client: ScriptedClient) => void;
  #pending = new Uint8Array(0);

  constructor(
    socket: Socket,
    globals: readonly InterfaceSpec[],
    onRequest: (request: ScriptedRequest, client: ScriptedClient) => void,
  ) {
    this.#socket = socket;
    this.#globals = globals;
    this.#onRequest = onRequest;
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk));
  }

  /** Names the interface of an object that a request or an event made. */
  know(objectId: number, spec: InterfaceSpec): void {
    this.#objects.set(objectId, spec);
  }

  send(objectId: number, event: string, ...values: readonly WireValue[]): void {
    const spec = this.#objects.get(objectId);
    const events = spec ? compileInterface(spec).events : [];
    const opcode = events.findIndex(({ name }) => name === event);
    const signature = events[opcode]?.signature ?? '';
    this.#socket.write(eventBytes(objectId, opcode, signature, values));
  }

  #receive(chunk: Uint8Array): void {
    const joined = new Uint8Array(this.#pending.length + chunk.length);
    joined.set(this.#pending);
    joined.set(chunk, this.#pending.length);
    const view = new DataView(joined.buffer);
    let offset = 0;
    for (;;) {
      const header = decodeHeader(view, offset, joined.length);
      if (!header || offset + header.sizeBytes > joined.length) break;
      this.#handle(view, header.objectId, header.opcode, offset + 8, offset + header.sizeBytes);
      offset += header.sizeBytes;
    }
    this.#pending = joined.slice(offset);
  }

  #handle(view: DataView, objectId: number, opcode: number, offset: number, end: number): void {
    const spec = this.#objects.get(objectId);
    const [name, request] = [...(spec ? compileInterface(spec).requests : [])][opcode] ?? [];
    if (!name || !request) throw new Error(`request ${opcode} of unknown object ${objectId}`);
    const values = decodeArguments(view, offset, end, request.signature, []);
    if (typeof values === 'string') throw new Error(values);
    if (name === 'sync') {
      this.#socket.write(eventBytes(Number(values[0]), 0, 'u', [1]));
      this.send(1, 'delete_id', values[0] ?? 0);
    } else if (name === 'get_registry') {
      this.know(Number(values[0]), WL_REGISTRY);
      this.#globals.forEach((global, index) => {
        this.send(Number(values[0]), 'global', index + 1, global.name, global.version);
      });
    } else if (name === 'bind') {
      const global = this.#globals[Number(values[0]) - 1];
      if (global) this.know(Number(values[3]), global);
      this.#onRequest({ objectId: Number(values[3]), name: `bind ${values[1]}`, values }, this);
    } else {
      this.#onRequest({ objectId, name, values }, this);
    }
  }
}
