import { describe, expect, test } from 'bun:test';
import {
  REPORT_LINES_MAX,
  type StartupFacts,
  startupReport,
} from '../../src/cli/startup-report.ts';
import { portFamily } from '../../src/config/ports.ts';

const facts: StartupFacts = {
  versionLine: 'punktfunk 0.1.0 (full build)',
  hostName: 'gaming-pc',
  addresses: ['192.168.1.5', 'fd00::5'],
  gamestreamPorts: portFamily(47_989),
  mdnsName: 'gaming-pc',
  mgmtPort: 47_990,
  fingerprint: '0123456789abcdef'.repeat(4),
  capture: {
    taken: 'synthetic',
    detail: 'test card',
    refused: [{ rung: 'virtual', missing: 'no desktop runs', remedy: 'start sway or GNOME' }],
  },
  encoder: { taken: 'x264', detail: 'system libx264', refused: [] },
  audio: { taken: null, detail: 'silence', refused: [] },
  pairedCount: 1,
  ctl: (words) => `./dist/punktfunk ctl ${words}`,
  warnings: [],
};

describe('the start-up report', () => {
  test('says version, addresses, ports, identity, rungs and how to pair', () => {
    expect(startupReport(facts)).toEqual([
      'punktfunk 0.1.0 (full build) on gaming-pc',
      'GameStream: 192.168.1.5, fd00::5; TCP 47984, 47989, 48010, UDP 47998-48000; announced as gaming-pc',
      'Management: https://127.0.0.1:47990/api/v1, or "./dist/punktfunk ctl status"',
      'Identity: 01234567 89abcdef 01234567 89abcdef 01234567 89abcdef 01234567 89abcdef',
      'Pictures: synthetic, test card; not virtual: no desktop runs (start sway or GNOME)',
      'Encoder: x264, system libx264',
      'Sound: none, silence',
      'Pairing: 1 device is paired; choose 192.168.1.5 in Moonlight, then run "./dist/punktfunk ctl pin PIN"',
    ]);
  });

  test.each([0, 1, 2, 3, 50])('with %d warnings it has at most ten lines', (count) => {
    const warnings = Array.from({ length: count }, (_, index) => `warning ${index}`);

    const lines = startupReport({ ...facts, warnings });

    expect(lines.length).toBeLessThanOrEqual(REPORT_LINES_MAX);
    const isCut = count > 2;
    expect(lines.at(-1)?.endsWith('more; see the log')).toBe(isCut);
    if (isCut) expect(lines.at(-1)).toBe(`Warning: ${count - 1} more; see the log`);
  });

  test('another port base is part of the address to type', () => {
    const lines = startupReport({ ...facts, gamestreamPorts: portFamily(50_000) });

    expect(lines.at(-1)).toContain('choose 192.168.1.5:50000 in Moonlight');
  });

  test('without GameStream it says how to switch it on', () => {
    const lines = startupReport({ ...facts, gamestreamPorts: null });

    expect(lines[1]).toBe('GameStream: off; start with --gamestream to serve Moonlight devices');
    expect(lines.some((line) => line.startsWith('Pairing'))).toBe(false);
  });
});
