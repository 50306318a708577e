/** What a running process costs, read from /proc: CPU time by thread name, resident memory. */
import { readdirSync, readFileSync } from 'node:fs';

const NS_PER_S = 1e9;

/** CPU time in ns of every live thread, by thread id. */
export type ThreadTimes = ReadonlyMap<number, { readonly name: string; readonly cpuNs: number }>;

export function readThreadTimes(pid: number): ThreadTimes {
  const threads = new Map<number, { name: string; cpuNs: number }>();
  for (const word of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${word}`;
      const name = readFileSync(`${folder}/comm`, 'utf8').trim();
      const cpuNs = Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]);
      threads.set(Number(word), { name, cpuNs });
    } catch {
      // The thread ended between the listing and the look.
    }
  }
  return threads;
}

/**
 * Share of a core in percent by thread name, dearest first. Threads that ended in between are not
 * counted, threads that began in between are counted from their beginning.
 */
export function coreShares(
  before: ThreadTimes,
  after: ThreadTimes,
  wallNs: number,
): readonly { readonly name: string; readonly percent: number }[] {
  const shares = new Map<string, number>();
  for (const [tid, { name, cpuNs }] of after) {
    const spent = cpuNs - (before.get(tid)?.cpuNs ?? 0);
    shares.set(name, (shares.get(name) ?? 0) + (100 * spent) / wallNs);
  }
  return [...shares]
    .map(([name, percent]) => ({ name, percent }))
    .sort((a, b) => b.percent - a.percent);
}

/** CPU time that all cores together spent working since the machine started, in ns. */
export function machineBusyNs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  // user nice system idle iowait irq softirq steal, in clock ticks of 1/100 s (proc(5)).
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = ticks;
  return ((user + nice + system + irq + softIrq + steal) / 100) * NS_PER_S;
}

export interface Memory {
  readonly residentMb: number;
  /** Most since the process began. */
  readonly highestMb: number;
}

/** Resident memory, in MB of 10⁶ bytes. */
export function readMemory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024) / 1e6;
  return { residentMb: megabytes('VmRSS'), highestMb: megabytes('VmHWM') };
}
