/** `ctl devices`, `ctl rename`, `ctl unpair`. */
import type { DeviceRow } from '../../mgmt/schemas.ts';
import { columns, plain, shortFingerprint } from './format.ts';
import { type Api, CtlError, ctlVerb, EXIT } from './verb.ts';

const PREFIX_LENGTH_MIN = 8;

const DEVICE_WORD = {
  name: 'DEVICE',
  isRequired: true,
  help: `Fingerprint as "ctl devices" shows it, or at least its first ${PREFIX_LENGTH_MIN} characters`,
} as const;

export const devicesVerb = ctlVerb({
  spec: { command: 'ctl devices', summary: 'Paired devices', flags: [], words: [] },
  async run(api) {
    const devices = await listDevices(api);
    if (devices.length === 0) {
      return { data: devices, text: 'No device is paired. See "punktfunk ctl pair".\n' };
    }
    const rows = devices.map((device) => [
      shortFingerprint(device.fingerprint),
      plain(device.name),
      device.plane,
      stateOf(device),
      device.last_seen === null ? 'never seen' : `seen ${device.last_seen}`,
    ]);
    return { data: devices, text: columns([['DEVICE', 'NAME', 'PLANE', 'STATE', ''], ...rows]) };
  },
});

export const renameVerb = ctlVerb({
  spec: {
    command: 'ctl rename',
    summary: 'Gives a paired device another name',
    flags: [],
    words: [DEVICE_WORD, { name: 'NAME', isRequired: true, help: 'The new name' }],
  },
  async run(api, read) {
    const device = await findDevice(api, read.words.get('DEVICE') ?? '');
    const renamed = (await api({
      method: 'PATCH',
      path: `/devices/${device.fingerprint}`,
      body: { name: read.words.get('NAME') ?? '' },
    })) as DeviceRow;
    return {
      data: renamed,
      text: `${shortFingerprint(device.fingerprint)} is now ${plain(renamed.name)}.\n`,
    };
  },
});

export const unpairVerb = ctlVerb({
  spec: {
    command: 'ctl unpair',
    summary: 'Unpairs a device and ends its stream',
    flags: [],
    words: [DEVICE_WORD],
  },
  async run(api, read) {
    const device = await findDevice(api, read.words.get('DEVICE') ?? '');
    await api({ method: 'DELETE', path: `/devices/${device.fingerprint}` });
    return {
      data: { fingerprint: device.fingerprint, name: device.name },
      text: `Unpaired ${plain(device.name)} (${shortFingerprint(device.fingerprint)}).\n`,
    };
  },
});

async function listDevices(api: Api): Promise<DeviceRow[]> {
  return (await api({ method: 'GET', path: '/devices' })) as DeviceRow[];
}

/** The one device whose fingerprint starts with `prefix`. */
async function findDevice(api: Api, prefix: string): Promise<DeviceRow> {
  const wanted = prefix.toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(wanted)) {
    throw new CtlError(
      EXIT.usage,
      'usage',
      `A device is named by ${PREFIX_LENGTH_MIN} to 64 hexadecimal characters of its fingerprint.`,
      'See "punktfunk ctl devices".',
    );
  }
  const devices = await listDevices(api);
  const found = devices.filter(({ fingerprint }) => fingerprint.startsWith(wanted));
  const [only] = found;
  if (only && found.length === 1) return only;
  throw only
    ? new CtlError(
        EXIT.refused,
        'ambiguous',
        `${found.length} devices have a fingerprint that starts with ${wanted}.`,
        'Give more characters of it.',
      )
    : new CtlError(
        EXIT.refused,
        'not_found',
        `No paired device has a fingerprint that starts with ${wanted}.`,
        'See "punktfunk ctl devices".',
      );
}

function stateOf({ enabled, live_sessions }: DeviceRow): string {
  if (!enabled) return 'disabled';
  return live_sessions.length > 0 ? 'streaming' : 'idle';
}
