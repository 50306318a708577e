/**
 * The door of the program: arguments in, exit code out. Commands are loaded when they are asked for
 * (citty), so `--version` does not load the management API and `ctl` does not load the host.
 */
import { type CommandDef, defineCommand, runCommand } from 'citty';
import { BUILD, versionLine } from '../config/build-info.ts';
import { didYouMean } from '../config/nearest.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { CommandContext, CommandModule } from './command.ts';
import { COMMANDS, commandSpecs, isGroup } from './commands.ts';
import { reportFault } from './faults.ts';
import { commandHelp, groupHelp, programHelp } from './help.ts';

/** Runs one command line; never throws. */
export async function runCli(argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    return reportFault(error, context.err);
  }
}

async function dispatch(argv: readonly string[], context: CommandContext): Promise<number> {
  const [first] = argv;
  if (first === '--version' || first === '-v') {
    context.out(`${versionLine(BUILD)}\n`);
    return 0;
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const help = programHelp(versionLine(BUILD), await commandSpecs());
    if (first === undefined) context.err(help);
    else context.out(help);
    return first === undefined ? 2 : 0;
  }
  if (wantsHelp(argv)) return await printHelp(argv, context);
  checkCommandWords(argv);
  let exitCode = 0;
  const program = cittyProgram(context, (code) => {
    exitCode = code;
  });
  await runCommand(program, { rawArgs: [...argv] });
  return exitCode;
}

/** The command tree in citty's form; every leaf loads its module on use. */
function cittyProgram(context: CommandContext, done: (exitCode: number) => void): CommandDef {
  const leaf = (load: () => Promise<CommandModule>) => async () => {
    const module = await load();
    return defineCommand({
      meta: { name: module.spec.command, description: module.spec.summary },
      run: async ({ rawArgs }) => done(await module.run(rawArgs, context)),
    });
  };
  const subCommands: Record<string, CommandDef | (() => Promise<CommandDef>)> = {};
  for (const [name, entry] of Object.entries(COMMANDS)) {
    if (!isGroup(entry)) {
      subCommands[name] = leaf(entry);
      continue;
    }
    const verbs = Object.entries(entry.verbs).map(([verb, load]) => [verb, leaf(load)]);
    subCommands[name] = defineCommand({
      meta: { name, description: entry.summary },
      subCommands: Object.fromEntries(verbs),
    });
  }
  return defineCommand({ meta: { name: 'punktfunk', version: BUILD.version }, subCommands });
}

/** Refuses unknown commands and verbs with the nearest known one. */
function checkCommandWords(argv: readonly string[]): void {
  const [first = '', second] = argv;
  const entry = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (!entry) {
    throw new OperatorError({
      what: `${JSON.stringify(first)} is not a command.${didYouMean(first, Object.keys(COMMANDS))}`,
      next: 'Run "punktfunk --help".',
      exitCode: 2,
    });
  }
  if (!isGroup(entry)) return;
  const verbs = Object.keys(entry.verbs);
  if (second !== undefined && Object.hasOwn(entry.verbs, second)) return;
  throw new OperatorError({
    what:
      second === undefined
        ? `${first} needs one of ${verbs.join(', ')}.`
        : `${JSON.stringify(second)} is not a verb of ${first}.${didYouMean(second, verbs)}`,
    next: `Run "punktfunk ${first} --help".`,
    exitCode: 2,
  });
}

/** True when `--help` stands before a `--`. */
function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const seen = end < 0 ? argv : argv.slice(0, end);
  return seen.includes('--help') || seen.includes('-h');
}

async function printHelp(argv: readonly string[], context: CommandContext): Promise<number> {
  const words = argv.filter((argument) => !argument.startsWith('-'));
  const [first = '', second = ''] = words;
  const entry = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  if (!entry) checkCommandWords(words);
  else if (!isGroup(entry)) context.out(commandHelp((await entry()).spec));
  else if (Object.hasOwn(entry.verbs, second)) {
    const verb = entry.verbs[second];
    if (verb) context.out(commandHelp((await verb()).spec));
  } else {
    const specs = (await commandSpecs()).filter(({ command }) => command.startsWith(`${first} `));
    context.out(groupHelp(entry.summary, specs));
  }
  return 0;
}
