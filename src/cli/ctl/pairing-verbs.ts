/** `ctl pair` and `ctl pin`: the operator always sees which device a PIN is for. */
import type { DeviceRow, PairingRequestRow } from '../../mgmt/schemas.ts';
import { columns, plain, shortFingerprint } from './format.ts';
import { type Api, CtlError, ctlVerb, EXIT } from './verb.ts';

export const pairVerb = ctlVerb({
  spec: {
    command: 'ctl pair',
    summary: 'Devices that wait for a PIN, and how to pair',
    flags: [{ name: 'deny', kind: 'value', valueName: 'ID', help: 'Refuse this request' }],
    words: [],
  },
  async run(api, read) {
    const denied = read.values.get('deny')?.text;
    if (denied !== undefined) {
      const id = requestId(denied, '--deny');
      await api({ method: 'POST', path: `/pairing/requests/${id}/deny` });
      return { data: { denied: id }, text: `Refused request ${id}.\n` };
    }
    const requests = await listRequests(api);
    if (requests.length === 0) {
      return {
        data: requests,
        text:
          'No device waits for a PIN.\n' +
          'Choose this host in Moonlight (or add its address there); it shows a PIN.\n' +
          'Then run "punktfunk ctl pin PIN" here.\n',
      };
    }
    const rows = requests.map((request) => [
      request.id,
      plain(request.name),
      request.peer + (request.remote ? ' (not a local address)' : ''),
      `${request.expires_in_s} s left`,
    ]);
    const hint =
      requests.length === 1
        ? 'Run "punktfunk ctl pin PIN" with the PIN that the device shows.\n'
        : 'Run "punktfunk ctl pin PIN --request=ID" with the PIN that the device shows.\n';
    return { data: requests, text: columns([['ID', 'DEVICE', 'ADDRESS', ''], ...rows]) + hint };
  },
});

export const pinVerb = ctlVerb({
  spec: {
    command: 'ctl pin',
    summary: 'Pairs a device with the PIN that it shows',
    flags: [
      {
        name: 'request',
        kind: 'value',
        valueName: 'ID',
        help: 'Request as "ctl pair" shows it; needed when several devices wait',
      },
      { name: 'name', kind: 'value', valueName: 'NAME', help: 'Name to give the device' },
    ],
    words: [{ name: 'PIN', isRequired: true, help: 'Digits on the screen of the device' }],
  },
  async run(api, read) {
    const pin = read.words.get('PIN') ?? '';
    if (!/^[0-9]{1,16}$/.test(pin)) {
      throw new CtlError(
        EXIT.usage,
        'usage',
        'A PIN is 1 to 16 digits.',
        'Read it off the device.',
      );
    }
    const chosen = read.values.get('request')?.text;
    const wantedId = chosen === undefined ? null : requestId(chosen, '--request');
    const request = chooseRequest(await listRequests(api), wantedId);
    const name = read.values.get('name')?.text;
    const body = name === undefined ? { pin } : { pin, name };
    const path = `/pairing/requests/${request.id}/pin`;
    const reply = (await api({ method: 'POST', path, body })) as { device: DeviceRow };
    const { device } = reply;
    return {
      data: { request: request.id, device },
      text:
        `Paired ${plain(device.name)} at ${request.peer} ` +
        `(${shortFingerprint(device.fingerprint)}).\n`,
    };
  },
});

async function listRequests(api: Api): Promise<PairingRequestRow[]> {
  const rows = (await api({ method: 'GET', path: '/pairing/requests' })) as PairingRequestRow[];
  return rows.filter(({ kind }) => kind === 'pin');
}

/** The request that the operator means; without an id only when there is no doubt. */
function chooseRequest(
  requests: readonly PairingRequestRow[],
  wantedId: string | null,
): PairingRequestRow {
  const listed = requests
    .map(({ id, name, peer }) => `${id} is ${plain(name)} at ${peer}`)
    .join(', ');
  if (wantedId !== null) {
    const request = requests.find(({ id }) => id === wantedId);
    if (request) return request;
    const others = listed === '' ? 'No device waits for a PIN.' : `Waiting: ${listed}.`;
    throw new CtlError(EXIT.refused, 'not_found', `No request ${wantedId} waits. ${others}`);
  }
  const [only] = requests;
  if (!only) {
    throw new CtlError(
      EXIT.refused,
      'no_request',
      'No device waits for a PIN.',
      'Start pairing on the device first; it shows the PIN.',
    );
  }
  if (requests.length === 1) return only;
  throw new CtlError(
    EXIT.refused,
    'ambiguous',
    `Several devices wait for a PIN: ${listed}.`,
    'Say which one with --request=ID.',
  );
}

function requestId(text: string, flag: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  throw new CtlError(EXIT.usage, 'usage', `${flag} takes the ID that "ctl pair" shows.`);
}
