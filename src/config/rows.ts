/**
 * Every setting of the host. Flags, environment, file keys, help, `config explain` and
 * `docs/settings.md` are made from this table; a setting that nothing reads has no place here.
 *
 * The key of a row is its property name in kebab case (`fecPct` → `fec-pct`, `--fec-pct`,
 * `PUNKTFUNK_FEC_PCT`); the unit, where there is one, is its last word.
 */
import { address, choice, decimal, integer, onOff, path, type SettingRow, text } from './row.ts';

export const SETTING_ROWS = {
  gamestream: onOff({
    fallback: false,
    flagAliases: ['moonlight'],
    help: 'Serve Moonlight and Artemis devices (the GameStream protocol)',
  }),
  portBase: integer(
    { min: 1029, max: 65_514 },
    {
      fallback: 47_989,
      valueName: 'PORT',
      help: 'First GameStream port; HTTPS is 5 below, video, control and audio 9 to 11 and RTSP 21 above',
    },
  ),
  bind: address({
    fallback: '0.0.0.0',
    help: 'Address that the streaming ports listen on',
  }),
  mdns: onOff({ fallback: true, help: 'Announce this host on the local network by mDNS' }),
  hostName: text(
    { lengthMax: 63 },
    {
      fallback: null,
      valueName: 'NAME',
      fallbackText: 'the name of the machine',
      help: 'Name that devices show for this host',
    },
  ),
  source: choice(['auto', 'virtual', 'mirror', 'portal', 'synthetic'], {
    fallback: 'auto',
    env: 'PUNKTFUNK_VIDEO_SOURCE',
    help:
      'Where pictures come from: a screen made for the device, a copy of a monitor, the desktop portal, ' +
      'or the test card; auto takes the first that this machine can do',
  }),
  mirrorOutput: text(
    { lengthMax: 128 },
    {
      fallback: null,
      valueName: 'OUTPUT',
      fallbackText: 'the main monitor',
      help: 'Monitor to copy with source mirror, as the compositor names it, e.g. DP-1',
    },
  ),
  encoder: choice(['auto', 'x264', 'addon-x264'], {
    fallback: 'auto',
    help: 'Video encoder; auto takes the first that opens',
  }),
  maxBitrateKbps: integer(
    { min: 500, max: 1_000_000, unit: 'kbit/s' },
    { fallback: 500_000, help: 'Upper limit of the video bit rate, whatever a device asks for' },
  ),
  vbvFrames: decimal(
    { min: 0.25, max: 10, unit: 'frame intervals' },
    {
      fallback: 1,
      help: "Size of the encoder's rate buffer; larger looks better, smaller is steadier",
    },
  ),
  fecPct: integer(
    { min: 0, max: 255, unit: '%' },
    { fallback: 20, help: 'Parity packets per data packets of video, 0 sends data only' },
  ),
  dscp: onOff({
    fallback: true,
    help: 'Mark media packets for priority in the network when the device asks for it',
  }),
  gso: onOff({
    fallback: true,
    help: 'Let the kernel cut many packets out of one send where it can (UDP segmentation offload)',
  }),
  audio: onOff({ fallback: true, help: 'Send the sound of the desktop; off sends silence' }),
  secondClient: choice(['replace', 'refuse'], {
    fallback: 'replace',
    help: 'What happens when a second device starts a stream: it replaces the first or is refused',
  }),
  appsFile: path({
    fallback: null,
    fallbackText: '<config-dir>/apps.json',
    help: 'List of the apps that devices can start',
  }),
  mgmtPort: integer(
    { min: 0, max: 65_535 },
    {
      fallback: 47_990,
      valueName: 'PORT',
      help: 'Port of the management API (HTTPS), 0 takes any free one',
    },
  ),
  mgmtBind: address({
    fallback: '0.0.0.0',
    help: 'Address of the management API; administration is possible from this machine only',
  }),
  waylandDisplay: text(
    { lengthMax: 4096 },
    {
      fallback: null,
      valueName: 'SOCKET',
      fallbackText: '$WAYLAND_DISPLAY',
      help: 'Wayland socket of the desktop to stream, for a host that was started outside of it',
    },
  ),
  desktopRuntimeDir: path({
    fallback: null,
    fallbackText: '$XDG_RUNTIME_DIR',
    help: 'Runtime directory of the desktop to stream, for a host that was started outside of it',
  }),
  logLevel: choice(['error', 'warn', 'info', 'debug'], {
    fallback: 'info',
    help: 'How much is written to the log (standard error)',
  }),
  perf: onOff({ fallback: false, help: 'Print the timing of every stage once a second' }),
  videoDrop: integer(
    { min: 0, max: 100, unit: '%' },
    { fallback: 0, help: 'Video packets thrown away after parity, to test how devices take loss' },
  ),
  config: path({
    fallback: null,
    fallbackText: '<config-dir>/host.env',
    help: 'Settings file with KEY=VALUE lines, read in place of host.env',
  }),
  configDir: path({
    fallback: null,
    fallbackText: '$XDG_CONFIG_HOME/punktfunk or ~/.config/punktfunk',
    help: 'Folder of host.env and apps.json',
  }),
  stateDir: path({
    fallback: null,
    fallbackText: '$XDG_STATE_HOME/punktfunk or ~/.local/state/punktfunk',
    help: 'Folder of the identity, the paired devices and the restore journal',
  }),
} as const satisfies Record<string, SettingRow<unknown>>;

export type SettingName = keyof typeof SETTING_ROWS;

type RowValue<R> = R extends SettingRow<infer T> ? T : never;

/** All settings with their values in force. */
export type Settings = { readonly [K in SettingName]: RowValue<(typeof SETTING_ROWS)[K]> };

/** Rows that say where the file is, so a file cannot set them. */
export const BOOTSTRAP_SETTINGS: readonly SettingName[] = ['config', 'configDir'];

/** A row together with its derived names. */
export interface NamedRow {
  readonly name: SettingName;
  /** Public key, e.g. `fec-pct`; the flag is `--` and this. */
  readonly key: string;
  readonly env: string;
  readonly row: SettingRow<unknown>;
}

export const NAMED_ROWS: readonly NamedRow[] = Object.entries(SETTING_ROWS).map(([name, row]) => {
  const key = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const env = row.env ?? `PUNKTFUNK_${key.replaceAll('-', '_').toUpperCase()}`;
  return { name: name as SettingName, key, env, row };
});

/** The row with this key, flag alias or environment name; null when there is none. */
export function findRow(word: string): NamedRow | null {
  const key = word.toLowerCase().replaceAll('_', '-');
  return (
    NAMED_ROWS.find(
      ({ key: own, env, row }) =>
        own === key || env === word.toUpperCase() || row.flagAliases.includes(key),
    ) ?? null
  );
}
