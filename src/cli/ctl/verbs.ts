/** `ctl status`, `ctl sessions`, `ctl stop-session`. */
import type { RungReport, SessionRow, StatusDocument } from '../../mgmt/schemas.ts';
import { columns, counted, duration, plain } from './format.ts';
import { type Api, CtlError, ctlVerb, EXIT } from './verb.ts';

export const statusVerb = ctlVerb({
  spec: {
    command: 'ctl status',
    summary: 'What the host does and which rungs it uses',
    flags: [],
    words: [],
  },
  async run(api) {
    const status = (await api({ method: 'GET', path: '/status' })) as StatusDocument;
    const { version, uptime_s, paired_clients, active_sessions, pin_pending } = status;
    const lines = [
      `punktfunk ${version}, up ${duration(uptime_s)}, ${counted(paired_clients, 'paired device')}, ` +
        counted(active_sessions, 'session'),
      rungLine('Pictures', status.capture),
      rungLine('Encoder', status.encoder),
      rungLine('Sound', status.audio),
      ...(pin_pending ? ['A device waits for its PIN: see "punktfunk ctl pair".'] : []),
      ...status.sessions.flatMap((row) => [
        sessionLine(row),
        ...row.notes.map((note) => `  ${note}`),
      ]),
    ];
    return { data: status, text: `${lines.join('\n')}\n` };
  },
});

export const sessionsVerb = ctlVerb({
  spec: { command: 'ctl sessions', summary: 'Running streams', flags: [], words: [] },
  async run(api) {
    const rows = await listSessions(api);
    if (rows.length === 0) return { data: rows, text: 'Nothing streams.\n' };
    const table = rows.map((row) => [
      row.id,
      plain(row.client_name),
      row.client,
      row.mode,
      row.codec,
      `${row.bitrate.applied_kbps ?? row.bitrate.target_kbps} kbit/s`,
      duration(row.uptime_s),
    ]);
    const head = ['ID', 'DEVICE', 'ADDRESS', 'MODE', 'CODEC', 'RATE', 'UP'];
    return { data: rows, text: columns([head, ...table]) };
  },
});

export const stopSessionVerb = ctlVerb({
  spec: {
    command: 'ctl stop-session',
    summary: 'Stops a stream; without ID the only one',
    flags: [
      {
        name: 'how',
        kind: 'value',
        valueName: 'quit|drop',
        help: 'quit also ends the app (this is the default), drop ends only the stream',
      },
    ],
    words: [{ name: 'ID', isRequired: false, help: 'Session as "ctl sessions" shows it' }],
  },
  async run(api, read) {
    const how = read.values.get('how')?.text ?? 'quit';
    if (how !== 'quit' && how !== 'drop') {
      throw new CtlError(EXIT.usage, 'usage', `--how is quit or drop, not ${JSON.stringify(how)}.`);
    }
    const id = read.words.get('ID') ?? (await onlySession(api)).id;
    await api({ method: 'DELETE', path: `/sessions/${encodeURIComponent(id)}?how=${how}` });
    return { data: { id, how }, text: `Stopped ${plain(id)}.\n` };
  },
});

async function listSessions(api: Api): Promise<SessionRow[]> {
  return (await api({ method: 'GET', path: '/sessions' })) as SessionRow[];
}

async function onlySession(api: Api): Promise<SessionRow> {
  const rows = await listSessions(api);
  const [only] = rows;
  if (only && rows.length === 1) return only;
  const listed = rows.map((row) => `${row.id} (${plain(row.client_name)})`).join(', ');
  throw rows.length === 0
    ? new CtlError(EXIT.refused, 'not_found', 'Nothing streams, so there is nothing to stop.')
    : new CtlError(
        EXIT.refused,
        'ambiguous',
        `Several sessions run: ${listed}.`,
        'Name one of them.',
      );
}

function rungLine(label: string, { taken, detail, refused }: RungReport): string {
  const head = `${label}: ${taken === null ? 'none' : taken}${detail === '' ? '' : `, ${detail}`}`;
  return [head, ...refused.map(({ rung, missing }) => `not ${rung}: ${missing}`)].join('; ');
}

function sessionLine(row: SessionRow): string {
  const rate = row.bitrate.applied_kbps ?? row.bitrate.target_kbps;
  const mode = row.display.actual ?? row.mode;
  return (
    `${row.id}: ${plain(row.client_name)} (${row.client}) ${mode} ${row.codec} at ${rate} kbit/s, ` +
    `${row.encoder.backend} on ${row.display.backend}, up ${duration(row.uptime_s)}`
  );
}
