import { describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X264_LAYOUT } from '../../ffi/libx264.ts';

const compiler = Bun.which('cc') ?? Bun.which('gcc');
const hasHeader = existsSync('/usr/include/x264.h');
const isMissing = !compiler || !hasHeader;
const REASON = isMissing ? ' (skipped: no C compiler or no x264.h, package libx264-dev)' : '';

/** Types behind the layouts, and their sizes as the host assumes them at most. */
const TYPES = {
  param: ['x264_param_t', 4096],
  picture: ['x264_picture_t', 512],
  nal: ['x264_nal_t', 40],
} as const;

describe(`layout of libx264${REASON}`, () => {
  test.skipIf(isMissing)('every offset agrees with the C header', () => {
    const names = Object.entries(X264_LAYOUT).flatMap(([type, fields]) =>
      Object.keys(fields).map((field) => ({ type: type as keyof typeof TYPES, field })),
    );
    const prints = names.map(
      ({ type, field }) => `printf("%zu\\n", offsetof(${TYPES[type][0]}, ${field}));`,
    );
    const sizes = Object.values(TYPES).map(([type]) => `printf("%zu\\n", sizeof(${type}));`);

    const output = runC([...prints, ...sizes]).map(Number);

    names.forEach(({ type, field }, index) => {
      const offset = (X264_LAYOUT[type] as Record<string, number>)[field];
      expect([field, output[index]]).toEqual([field, offset]);
    });
    Object.values(TYPES).forEach(([type, bytes], index) => {
      expect([type, (output[names.length + index] ?? 0) <= bytes]).toEqual([type, true]);
    });
    expect(output.at(-1)).toBe(TYPES.nal[1]);
  });
});

function runC(statements: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'punktfunk-layout-'));
  try {
    const source = join(folder, 'layout.c');
    const headers = ['stddef.h', 'stdint.h', 'stdio.h', 'x264.h'];
    const includes = headers.map((header) => `#include <${header}>`).join('\n');
    writeFileSync(source, `${includes}\nint main(void) { ${statements.join('\n')} return 0; }\n`);
    const program = join(folder, 'layout');
    const built = Bun.spawnSync([String(compiler), '-o', program, source]);
    expect(built.stderr.toString()).toBe('');
    return Bun.spawnSync([program]).stdout.toString().trim().split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
