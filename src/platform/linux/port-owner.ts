/**
 * Who holds a port: `/proc/net/{tcp,udp}{,6}` names the socket's inode, `/proc/<pid>/fd` the process
 * (proc(5)). Processes of other users are not readable, so the answer may be "somebody".
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { OperatorError } from '../operator-error.ts';

export type PortProtocol = 'TCP' | 'UDP';

export interface PortOwner {
  readonly pid: number;
  /** Program name, up to 15 characters. */
  readonly name: string;
}

/** TCP_LISTEN and, for UDP, TCP_CLOSE: what `st` holds for a bound socket (net/tcp_states.h). */
const BOUND_STATE = { TCP: '0A', UDP: '07' } as const;

/** The process that holds `port`; null when none does or it cannot be seen. */
export function portOwner(protocol: PortProtocol, port: number): PortOwner | null {
  const inodes = boundInodes(protocol, port);
  if (inodes.size === 0) return null;
  for (const entry of listing('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    for (const fd of listing(`/proc/${entry}/fd`)) {
      const target = link(`/proc/${entry}/fd/${fd}`);
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode)) {
        return { pid: Number(entry), name: textOf(`/proc/${entry}/comm`).trim() };
      }
    }
  }
  return null;
}

/**
 * The sentence for a port that cannot be bound.
 *
 * @param setting flag that moves the port, e.g. `--port-base`
 */
export function portInUseError(
  protocol: PortProtocol,
  port: number,
  setting: string,
): OperatorError {
  const owner = portOwner(protocol, port);
  const option = protocol === 'TCP' ? '-lntp' : '-lnup';
  return new OperatorError({
    what: owner
      ? `${protocol} port ${port} is in use by ${owner.name} (process ${owner.pid}).`
      : `${protocol} port ${port} is in use by a program of another user.`,
    next: owner
      ? `Stop it, or choose another port with ${setting}.`
      : `Find it with "sudo ss ${option} sport = :${port}" and stop it, or choose another port with ${setting}.`,
  });
}

function boundInodes(protocol: PortProtocol, port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const suffix of ['', '6']) {
    const lines = textOf(`/proc/net/${protocol.toLowerCase()}${suffix}`).split('\n').slice(1);
    for (const line of lines) {
      // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
      const fields = line.trim().split(/\s+/);
      const isHere = fields[1]?.endsWith(`:${wanted}`) && fields[3] === BOUND_STATE[protocol];
      if (isHere && fields[9]) inodes.add(fields[9]);
    }
  }
  return inodes;
}

function listing(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
