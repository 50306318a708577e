/**
 * The door of the program: command line in, exit code out, and the only place that spawns workers,
 * because only from here the executable finds their code.
 */
import type { CommandContext } from './cli/command.ts';
import { runCli } from './cli/run-cli.ts';
import { writeFully } from './cli/standard-streams.ts';
import type { WorkerKind } from './host/media-worker.ts';

function spawnWorker(kind: WorkerKind): Worker {
  switch (kind) {
    case 'video':
      return new Worker(new URL('./workers/video.ts', import.meta.url).href);
    case 'packet':
      return new Worker(new URL('./workers/packet.ts', import.meta.url).href);
    case 'audio':
      return new Worker(new URL('./workers/audio.ts', import.meta.url).href);
  }
}

const context: CommandContext = {
  env: process.env,
  workingDir: process.cwd(),
  out: (text) => writeFully(1, text),
  err: (text) => writeFully(2, text),
  async serve(request) {
    const { serveHost } = await import('./cli/serve-host.ts');
    return await serveHost(request, context, spawnWorker);
  },
};

process.exit(await runCli(process.argv.slice(2), context));
