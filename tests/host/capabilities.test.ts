import { describe, expect, test } from 'bun:test';
import { probeDisplays } from '../../src/host/capabilities.ts';
import { ScriptedScreens } from './desk-rig.ts';

describe('the display probe', () => {
  test('asks every backend and keeps the test card last; one that breaks is missing with its words', async () => {
    const good = new ScriptedScreens();
    const broken = {
      name: 'mutter',
      probe: () => Promise.reject(new Error('the bus broke')),
      acquire: () => Promise.reject(new Error('never')),
    } as const;

    const { displays, details, refused } = await probeDisplays([broken, good]);

    expect(displays.map(({ backend }) => backend)).toEqual(['wlroots', 'synthetic']);
    expect(details.get('wlroots')).toBe('scripted');
    expect(refused).toMatchObject([{ rung: 'mutter', missing: 'the bus broke' }]);
  });
});
