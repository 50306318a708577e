/** `punktfunk openapi`: the document of the management API, the same bytes on every machine. */
import { openApiText } from '../mgmt/openapi.ts';
import type { CommandModule } from './command.ts';
import { type CommandSpec, readArguments } from './flags.ts';

const spec: CommandSpec = {
  command: 'openapi',
  summary: 'Prints the OpenAPI 3.1 document of the management API',
  flags: [],
  words: [],
};

export const openapiCommand: CommandModule = {
  spec,
  async run(rawArgs, { out }) {
    readArguments(rawArgs, spec);
    out(await openApiText());
    return 0;
  },
};
