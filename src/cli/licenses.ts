/** `punktfunk licenses`: which licence this executable and each part of it carries. */

import apacheText from '../../packaging/licenses/Apache-2.0.txt' with { type: 'text' };
import addonText from '../../packaging/licenses/addon.txt' with { type: 'text' };
import bunText from '../../packaging/licenses/bun.txt' with { type: 'text' };
import gplText from '../../packaging/licenses/GPL-3.0.txt' with { type: 'text' };
import lgpl20Text from '../../packaging/licenses/LGPL-2.0.txt' with { type: 'text' };
import lgpl21Text from '../../packaging/licenses/LGPL-2.1.txt' with { type: 'text' };
import npmText from '../../packaging/licenses/npm.txt' with { type: 'text' };
import opusText from '../../packaging/licenses/opus.txt' with { type: 'text' };
import { BUILD, type BuildKind, versionLine } from '../config/build-info.ts';
import type { CommandModule } from './command.ts';
import { type CommandSpec, readArguments } from './flags.ts';

const spec: CommandSpec = {
  command: 'licenses',
  summary: 'Says which licence this executable and each part of it carries',
  flags: [{ name: 'full', kind: 'switch', help: 'Print all notices and licence texts' }],
  words: [],
};

const WHOLE: Readonly<Record<BuildKind, readonly string[]>> = {
  full: [
    'This is the full build. It contains FFmpeg with x264 and x265 (GPL), so this executable as a',
    'whole is under the GNU General Public License, version 3 or later. Passing it on means keeping',
    'to that licence: offer the source of all of it. The slim build contains no GPL code.',
  ],
  slim: [
    'This is the slim build. It contains no GPL code: its own code is under MIT OR Apache-2.0, and',
    'the runtime inside carries LGPL parts (see Bun below). For software encoding it uses the',
    "system's libx264 when that is installed (GPL, not part of this file).",
  ],
  source: [
    'This is run from source, which is under MIT OR Apache-2.0. An executable built from it is under',
    'the GNU General Public License, version 3 or later, because of the embedded encoder, unless it',
    'is built with --slim, which leaves that out.',
  ],
};

const PARTS: readonly (readonly [part: string, licence: string, isInSlim: boolean])[] = [
  ['punktfunk (own code)', 'MIT OR Apache-2.0', true],
  [
    'Bun runtime',
    'MIT; JavaScriptCore LGPL-2.0-or-later, TinyCC LGPL-2.1, others see --full',
    true,
  ],
  ['FFmpeg, x264, x265 (node-av addon)', 'GPL-3.0-or-later as a whole', false],
  ['libopus (libopus-wasm)', 'BSD-3-Clause; wrapper MIT', true],
  ['hono, hono-openapi, valibot, citty, consola', 'MIT', true],
  ['mdns-server, dns-packet', 'MIT', true],
  ['AssemblyScript runtime in the WASM kernels', 'Apache-2.0', true],
];

export const licensesCommand: CommandModule = {
  spec,
  async run(rawArgs, { out }) {
    const read = readArguments(rawArgs, spec);
    const isFull = read.values.get('full')?.text === 'on';
    out(licensesText(BUILD.kind, isFull));
    return 0;
  },
};

/** The text for one kind of build; `isFull` adds the notices and licence texts. */
export function licensesText(kind: BuildKind, isFull: boolean): string {
  const parts = PARTS.filter(([, , isInSlim]) => isInSlim || kind !== 'slim');
  const columns = Math.max(...parts.map(([part]) => part.length));
  const lines = [
    versionLine({ ...BUILD, kind }),
    '',
    ...WHOLE[kind],
    '',
    ...parts.map(([part, licence]) => `  ${part.padEnd(columns)}  ${licence}`),
    '',
  ];
  if (!isFull) {
    lines.push('"punktfunk licenses --full" prints all notices and licence texts.', '');
    return lines.join('\n');
  }
  const texts = [
    bunText,
    opusText,
    npmText,
    ...(kind === 'slim' ? [] : [addonText, gplText]),
    lgpl21Text,
    lgpl20Text,
    apacheText,
  ];
  const rule = '='.repeat(78);
  return `${lines.join('\n')}\n${texts.map((text) => `${rule}\n\n${text.trim()}\n`).join('\n')}`;
}
