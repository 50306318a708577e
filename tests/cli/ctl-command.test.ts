import { describe, expect, test } from 'bun:test';
import { type CtlFacts, ctlCommand } from '../../src/cli/ctl-command.ts';

const facts: CtlFacts = {
  executable: '/usr/bin/punktfunk',
  onPath: '/usr/bin/punktfunk',
  workingDir: '/home/me/punktfunk',
  chosenStateDir: null,
};

describe('the command to type', () => {
  test.each([
    ['found by the shell', {}, 'punktfunk ctl status'],
    ['run from source', { executable: null, onPath: null }, 'punktfunk ctl status'],
    [
      'below the folder it was started in',
      { executable: '/home/me/punktfunk/dist/punktfunk', onPath: null },
      './dist/punktfunk ctl status',
    ],
    [
      'another one than the shell finds',
      { executable: '/opt/punktfunk' },
      '/opt/punktfunk ctl status',
    ],
    [
      'in a folder with a space',
      { executable: '/home/me/my games/punktfunk', workingDir: '/home/me' },
      "'./my games/punktfunk' ctl status",
    ],
    [
      'started from the root folder',
      { executable: '/srv/punktfunk', workingDir: '/' },
      '/srv/punktfunk ctl status',
    ],
    [
      'with a state folder of its own',
      { chosenStateDir: "/srv/it's" },
      "punktfunk ctl status --state-dir='/srv/it'\\''s'",
    ],
  ])('%s', (_, change, command) => {
    expect(ctlCommand('status', { ...facts, ...change })).toBe(command);
  });
});
