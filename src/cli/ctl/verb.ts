/**
 * The frame of every `ctl` verb: finds the running host, calls it, prints for people or as JSON
 * (`{"v":1,"data":…}` or `{"v":1,"error":{code,message}}`, both on standard output) and maps every
 * ending to its exit code.
 */
import { loadSettings } from '../../config/load.ts';
import { readEndpoint } from '../../mgmt/endpoint-file.ts';
import { readToken } from '../../mgmt/token.ts';
import type { CommandContext, CommandModule } from '../command.ts';
import { asOperatorError } from '../faults.ts';
import {
  type CommandSpec,
  type FlagSpec,
  type ReadArguments,
  readArguments,
  settingFlags,
  settingValues,
} from '../flags.ts';
import { type ApiRequest, type ApiTarget, callApi } from './api-client.ts';

export const EXIT = { done: 0, refused: 1, usage: 2, noHost: 3, wrongCertificate: 4 } as const;

/** An ending that is not success. `code` is a stable word for programs. */
export class CtlError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly next: string;

  constructor(exitCode: number, code: string, message: string, next = '') {
    super(message);
    this.name = 'CtlError';
    this.code = code;
    this.exitCode = exitCode;
    this.next = next;
  }
}

/** What a verb answers: `data` for `--json`, `text` for people (with its line ends). */
export interface VerbResult {
  readonly data: unknown;
  readonly text: string;
}

export interface VerbDefinition {
  readonly spec: Omit<CommandSpec, 'flags'> & { readonly flags: readonly FlagSpec[] };
  run(api: Api, read: ReadArguments): Promise<VerbResult>;
}

/** Calls the host; a refusal becomes a {@link CtlError}. */
export type Api = (request: ApiRequest) => Promise<unknown>;

const COMMON_FLAGS: readonly FlagSpec[] = [
  { name: 'json', kind: 'switch', help: 'Print JSON' },
  ...settingFlags().filter(({ name }) => ['state-dir', 'config', 'config-dir'].includes(name)),
];

export function ctlVerb(definition: VerbDefinition): CommandModule {
  const spec: CommandSpec = {
    ...definition.spec,
    flags: [...definition.spec.flags, ...COMMON_FLAGS],
  };
  return {
    spec,
    async run(rawArgs, context) {
      const isJson = rawArgs.includes('--json');
      try {
        const read = readArguments(rawArgs, spec);
        const { data, text } = await definition.run(connectApi(read, context), read);
        context.out(isJson ? `${JSON.stringify({ v: 1, data })}\n` : text);
        return EXIT.done;
      } catch (error) {
        return printFailure(asCtlError(error), isJson, context);
      }
    },
  };
}

/** The host is looked for on the first call, so usage errors come first. */
function connectApi(read: ReadArguments, context: CommandContext): Api {
  let target: ApiTarget | undefined;
  return async (request) => {
    target ??= findTarget(read, context);
    const answer = await callApi(target, request);
    switch (answer.kind) {
      case 'no-host':
        throw noHost(`The host at ${placeOf(target)} cannot be reached: ${answer.detail}.`);
      case 'wrong-certificate':
        throw new CtlError(
          EXIT.wrongCertificate,
          'certificate_mismatch',
          `What answers at ${placeOf(target)} does not hold the certificate of this host.`,
          'Nothing was sent to it. Find it with "ss -lntp", stop it, then start the host again.',
        );
      case 'reply':
        if (answer.status >= 200 && answer.status < 300) return answer.body;
        throw refusedBy(answer.status, answer.body);
    }
  };
}

function findTarget(read: ReadArguments, { env, workingDir }: CommandContext): ApiTarget {
  const { paths } = loadSettings({ flags: settingValues(read), env, workingDir });
  const endpoint = readEndpoint(paths.stateDir);
  const token = endpoint ? readToken(paths.stateDir) : null;
  if (!endpoint || token === null) throw noHost(`No host runs with the folder ${paths.stateDir}.`);
  return { endpoint, token };
}

function noHost(message: string): CtlError {
  const next = 'Start it with "punktfunk serve", or name its folder with --state-dir.';
  return new CtlError(EXIT.noHost, 'no_host', message, next);
}

function placeOf({ endpoint }: ApiTarget): string {
  const { address, port } = endpoint;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function refusedBy(status: number, body: unknown): CtlError {
  const { error, code } = (body ?? {}) as { error?: unknown; code?: unknown };
  const message = typeof error === 'string' ? error : `The host refused (HTTP ${status}).`;
  return new CtlError(EXIT.refused, typeof code === 'string' ? code : wordOf(status), message);
}

function wordOf(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return 'not_allowed';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    default:
      return 'refused';
  }
}

function asCtlError(error: unknown): CtlError {
  if (error instanceof CtlError) return error;
  const { what, next, exitCode } = asOperatorError(error);
  return new CtlError(exitCode, exitCode === EXIT.usage ? 'usage' : 'fault', what, next);
}

function printFailure(error: CtlError, isJson: boolean, { out, err }: CommandContext): number {
  const { code, message, next, exitCode } = error;
  if (isJson) out(`${JSON.stringify({ v: 1, error: { code, message } })}\n`);
  else err(`punktfunk: ${message}\n${next === '' ? '' : `${next}\n`}`);
  return exitCode;
}
