import { describe, expect, test } from 'bun:test';
import {
  DATA_TYPES,
  DIRECTIONS,
  INTERFACES,
  LAYOUTS,
  META_TYPES,
  PARAM_FORMAT,
  STREAM_FLAGS,
} from '../../ffi/libpipewire-layout.ts';
import { compilerSkipReason, runC } from './native-program.ts';

const PACKAGES = ['libpipewire-0.3'];
const skipReason = compilerSkipReason(PACKAGES);
if (skipReason) console.log(`skipped: comparison with the PipeWire headers: ${skipReason}`);

const INCLUDES = `
#include <stddef.h>
#include <stdio.h>
#include <pipewire/pipewire.h>
#include <pipewire/extensions/metadata.h>
#include <spa/buffer/meta.h>
`;

const CONSTANTS: readonly (readonly [string, number])[] = [
  ['PW_STREAM_FLAG_AUTOCONNECT', STREAM_FLAGS.AUTOCONNECT],
  ['PW_STREAM_FLAG_INACTIVE', STREAM_FLAGS.INACTIVE],
  ['PW_STREAM_FLAG_MAP_BUFFERS', STREAM_FLAGS.MAP_BUFFERS],
  ['PW_STREAM_FLAG_DRIVER', STREAM_FLAGS.DRIVER],
  ['PW_STREAM_FLAG_NO_CONVERT', STREAM_FLAGS.NO_CONVERT],
  ['PW_STREAM_FLAG_EXCLUSIVE', STREAM_FLAGS.EXCLUSIVE],
  ['PW_STREAM_FLAG_DONT_RECONNECT', STREAM_FLAGS.DONT_RECONNECT],
  ['PW_STREAM_FLAG_ALLOC_BUFFERS', STREAM_FLAGS.ALLOC_BUFFERS],
  ['PW_DIRECTION_INPUT', DIRECTIONS.input],
  ['PW_DIRECTION_OUTPUT', DIRECTIONS.output],
  ['SPA_DATA_MemPtr', DATA_TYPES.MEM_PTR],
  ['SPA_DATA_MemFd', DATA_TYPES.MEM_FD],
  ['SPA_DATA_DmaBuf', DATA_TYPES.DMA_BUF],
  ['SPA_DATA_MemId', DATA_TYPES.MEM_ID],
  ['SPA_META_Header', META_TYPES.HEADER],
  ['SPA_META_VideoCrop', META_TYPES.VIDEO_CROP],
  ['SPA_META_VideoDamage', META_TYPES.VIDEO_DAMAGE],
  ['SPA_META_Cursor', META_TYPES.CURSOR],
  ['SPA_PARAM_Format', PARAM_FORMAT],
  ['PW_VERSION_NODE', INTERFACES.node.version],
  ['PW_VERSION_LINK', INTERFACES.link.version],
  ['PW_VERSION_METADATA', INTERFACES.metadata.version],
  ['PW_VERSION_REGISTRY', INTERFACES.registryVersion],
];

function headerValues(): Map<string, number> {
  const lines = LAYOUTS.flatMap(({ name, fields }) => [
    `printf("%s %zu\\n", "sizeof ${name}", sizeof(${name}));`,
    ...Object.keys(fields).map(
      (field) => `printf("%s %zu\\n", "${name}.${field}", offsetof(${name}, ${field}));`,
    ),
  ]);
  const constants = CONSTANTS.map(([name]) => `printf("%s %zu\\n", "${name}", (size_t)${name});`);
  const text = `${INCLUDES}int main(void) {\n${[...lines, ...constants].join('\n')}\nreturn 0; }\n`;
  const output = runC({ text }, PACKAGES);
  return new Map(
    output
      .trim()
      .split('\n')
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice(0, space), Number(line.slice(space + 1))];
      }),
  );
}

describe.skipIf(skipReason !== null)('the PipeWire layouts', () => {
  test('every offset, size and constant is the one of the installed headers', () => {
    const header = headerValues();

    const differences: string[] = [];
    const compare = (key: string, ours: number, isMinimum = false) => {
      const theirs = header.get(key) ?? Number.NaN;
      if (!(isMinimum ? theirs >= ours : theirs === ours)) {
        differences.push(`${key}: header ${theirs}, ours ${ours}`);
      }
    };
    for (const { name, sizeBytes, mayGrow, fields } of LAYOUTS) {
      compare(`sizeof ${name}`, sizeBytes, mayGrow);
      for (const [field, offset] of Object.entries(fields)) compare(`${name}.${field}`, offset);
    }
    for (const [name, value] of CONSTANTS) compare(name, value);

    expect(differences).toEqual([]);
    expect(header.size).toBeGreaterThan(100);
  });
});
