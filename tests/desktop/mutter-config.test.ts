/** Reading GetCurrentState, also from a compositor that answers nonsense. */
import { describe, expect, test } from 'bun:test';
import { type DbusValue, variant } from '../../src/desktop/dbus/index.ts';
import { modeOfMonitor, parseMonitors } from '../../src/vdisplay/mutter/display-config.ts';
import { modeOf } from './mutter-rig.ts';

function monitor(connector: string, width: number, height: number, hz: number): DbusValue {
  const mode = (isCurrent: boolean, w: number): DbusValue => [
    `${w}x${height}@${hz}`,
    w,
    height,
    hz,
    1,
    [1, 2],
    isCurrent ? new Map([['is-current', variant('b', true)]]) : new Map(),
  ];
  return [
    [connector, 'MetaVendor', 'model', 'serial'],
    [mode(false, 1), mode(true, width)],
    new Map(),
  ];
}

function logical(connector: string, isPrimary: boolean): DbusValue {
  return [0, 0, 1, 0, isPrimary, [[connector, 'MetaVendor', 'model', 'serial']], new Map()];
}

describe('the monitors of a GNOME session', () => {
  test('are those with a current mode, the primary one marked', () => {
    const off: DbusValue = [['HDMI-1', 'v', 'm', 's'], [], new Map()];
    const reply = [
      7,
      [monitor('DP-1', 3840, 2160, 59.997), off, monitor('Meta-0', 1922, 1082, 120)],
      [logical('Meta-0', true), logical('DP-1', false)],
      new Map(),
    ];

    expect(parseMonitors(reply)).toEqual([
      { connector: 'DP-1', width: 3840, height: 2160, refreshHz: 59.997, isPrimary: false },
      { connector: 'Meta-0', width: 1922, height: 1082, refreshHz: 120, isPrimary: true },
    ]);
  });

  test.each([
    ['nothing', []],
    ['numbers', [1, 2, 3, 4]],
    ['monitors without names', [1, [[[], [], new Map()]], [], new Map()]],
    ['modes that are text', [1, [[['DP-1'], 'x', new Map()]], [], new Map()]],
    ['a logical monitor of nothing', [1, [], [[]], new Map()]],
  ] as const)('%s is no monitor', (_name, reply) => {
    expect(parseMonitors(reply as unknown as readonly DbusValue[])).toEqual([]);
  });

  test('a rate within 0.01 Hz of the asked one is the asked one, others keep three decimals', () => {
    const shown = { connector: 'Meta-0', width: 1280, height: 720, isPrimary: true };
    const asked = modeOf('1280x720@59.94');

    expect(modeOfMonitor({ ...shown, refreshHz: 59.9399986 }, asked)).toEqual(asked);
    expect(modeOfMonitor({ ...shown, refreshHz: 59.92 }, asked)).toMatchObject({
      refreshNum: 59_920,
      refreshDen: 1000,
    });
    expect(modeOfMonitor({ ...shown, refreshHz: 60.0001 })).toMatchObject({
      refreshNum: 60,
      refreshDen: 1,
    });
  });
});
