/**
 * What the host prints when it is up: at most ten lines with where it is, who it is, what it will
 * stream with and how to pair. Pure: facts in, lines out.
 */
import type { PortFamily } from '../config/ports.ts';
import type { RungReport } from '../mgmt/schemas.ts';

export const REPORT_LINES_MAX = 10;
const FINGERPRINT_GROUP = 8;
const ADDRESSES_MAX = 3;

export interface StartupFacts {
  /** `punktfunk 0.1.0 (…)` */
  readonly versionLine: string;
  readonly hostName: string;
  /** Addresses that devices can reach, best first. */
  readonly addresses: readonly string[];
  /** null: GameStream is off. */
  readonly gamestreamPorts: PortFamily | null;
  /** Name announced by mDNS; null: not announced. */
  readonly mdnsName: string | null;
  readonly mgmtPort: number;
  /** Lower-case hex SHA-256 of the host certificate. */
  readonly fingerprint: string;
  readonly capture: RungReport;
  readonly encoder: RungReport;
  readonly audio: RungReport;
  readonly pairedCount: number;
  /** What to type for `ctl` with these words, e.g. `./dist/punktfunk ctl status`. */
  ctl(words: string): string;
  /** Sentences that the operator should read. */
  readonly warnings: readonly string[];
}

/** Lines without line ends, at most {@link REPORT_LINES_MAX}. */
export function startupReport(facts: StartupFacts): string[] {
  const lines = [
    `${facts.versionLine} on ${facts.hostName}`,
    gamestreamLine(facts),
    `Management: https://127.0.0.1:${facts.mgmtPort}/api/v1, or "${facts.ctl('status')}"`,
    `Identity: ${groups(facts.fingerprint)}`,
    rungLine('Pictures', facts.capture),
    rungLine('Encoder', facts.encoder),
    rungLine('Sound', facts.audio),
    ...(facts.gamestreamPorts ? [pairingLine(facts)] : []),
  ];
  const room = REPORT_LINES_MAX - lines.length;
  const { warnings } = facts;
  if (warnings.length <= room) return [...lines, ...warnings.map(warningLine)];
  const shown = warnings.slice(0, room - 1).map(warningLine);
  return [...lines, ...shown, `Warning: ${warnings.length - shown.length} more; see the log`];
}

function gamestreamLine({ addresses, gamestreamPorts: ports, mdnsName }: StartupFacts): string {
  if (!ports) return 'GameStream: off; start with --gamestream to serve Moonlight devices';
  const where = addresses.length > 0 ? addresses.slice(0, ADDRESSES_MAX).join(', ') : 'no network';
  const tcp = `TCP ${ports.https}, ${ports.http}, ${ports.rtsp}`;
  const udp = `UDP ${ports.video}-${ports.audio}`;
  const named = mdnsName === null ? 'not announced' : `announced as ${mdnsName}`;
  return `GameStream: ${where}; ${tcp}, ${udp}; ${named}`;
}

function pairingLine({ addresses, gamestreamPorts, pairedCount, ctl }: StartupFacts): string {
  const paired = pairedCount === 1 ? '1 device is paired' : `${pairedCount} devices are paired`;
  const address = addresses[0] ?? 'the address of this machine';
  const port = gamestreamPorts?.http === 47_989 ? '' : `:${gamestreamPorts?.http}`;
  return `Pairing: ${paired}; choose ${address}${port} in Moonlight, then run "${ctl('pin PIN')}"`;
}

/** `Encoder: addon-x264, H.264 in software; not x264: libx264 is missing (install libx264-164)` */
function rungLine(label: string, { taken, detail, refused }: RungReport): string {
  const head = [taken ?? 'none', detail].filter((text) => text !== '').join(', ');
  const reasons = refused.map(({ rung, missing, remedy }) => `not ${rung}: ${missing} (${remedy})`);
  return [`${label}: ${head}`, ...reasons].join('; ');
}

function warningLine(warning: string): string {
  return `Warning: ${warning}`;
}

function groups(hex: string): string {
  return hex.match(new RegExp(`.{1,${FINGERPRINT_GROUP}}`, 'g'))?.join(' ') ?? hex;
}
