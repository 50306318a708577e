/** Runs a command line with captured output, as `src/main.ts` does with the real one. */
import type { CommandContext, ServeRequest } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run-cli.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface TerminalOptions {
  readonly env?: Record<string, string>;
  readonly workingDir?: string;
  readonly serve?: (request: ServeRequest) => Promise<number>;
}

export async function run(argv: readonly string[], options: TerminalOptions = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const context: CommandContext = {
    env: options.env ?? { HOME: '/nonexistent' },
    workingDir: options.workingDir ?? '/',
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    serve: options.serve ?? (async () => 0),
  };
  const code = await runCli(argv, context);
  return { code, out, err };
}
