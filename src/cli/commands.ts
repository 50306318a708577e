/** The table of commands; each is loaded on first use. */
import type { CommandGroup, CommandModule } from './command.ts';
import type { CommandSpec } from './flags.ts';

type Entry = (() => Promise<CommandModule>) | CommandGroup;

export const COMMANDS: Readonly<Record<string, Entry>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  ctl: {
    summary: 'Talks to the host that runs on this machine',
    verbs: {
      status: async () => (await import('./ctl/verbs.ts')).statusVerb,
      sessions: async () => (await import('./ctl/verbs.ts')).sessionsVerb,
      'stop-session': async () => (await import('./ctl/verbs.ts')).stopSessionVerb,
      pair: async () => (await import('./ctl/pairing-verbs.ts')).pairVerb,
      pin: async () => (await import('./ctl/pairing-verbs.ts')).pinVerb,
      devices: async () => (await import('./ctl/device-verbs.ts')).devicesVerb,
      rename: async () => (await import('./ctl/device-verbs.ts')).renameVerb,
      unpair: async () => (await import('./ctl/device-verbs.ts')).unpairVerb,
    },
  },
  config: {
    summary: 'Shows settings, their values and where these came from',
    verbs: {
      explain: async () => (await import('./config-commands.ts')).explainCommand,
      list: async () => (await import('./config-commands.ts')).listCommand,
    },
  },
  openapi: async () => (await import('./openapi.ts')).openapiCommand,
  licenses: async () => (await import('./licenses.ts')).licensesCommand,
};

export function isGroup(entry: Entry): entry is CommandGroup {
  return typeof entry !== 'function';
}

/** The specs of all commands and verbs, in the order of help. */
export async function commandSpecs(): Promise<CommandSpec[]> {
  const specs: CommandSpec[] = [];
  for (const entry of Object.values(COMMANDS)) {
    const loads = isGroup(entry) ? Object.values(entry.verbs) : [entry];
    for (const load of loads) specs.push((await load()).spec);
  }
  return specs;
}
