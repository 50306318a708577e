/** A moving desktop streamed in software: rate, stage times, CPU by thread, memory over time. */

import { join } from 'node:path';
import { startPattern } from '../desktop/harness.ts';
import { DesktopSession, type SessionProcess } from '../desktop/harness-session.ts';
import { type StreamDesktop, startDesktop, streamSkipReason } from '../desktop/stream-desktop.ts';
import { StreamHost } from '../desktop/stream-host.ts';
import { coreShares, machineBusyNs, readMemory, readThreadTimes } from './stream-process.ts';

const MODE = { width: 1280, height: 720, fps: 60 };
const BITRATE_KBPS = 20_000;
const WARM_UP_MS = 4_000;
const FIRST_PICTURE_MS = 10_000;
/** Goals of the project. */
const FULL_RATE_RATIO = 0.99;
const RESIDENT_MAX_MB = 250;
/** Growth over the soak beyond which memory counts as not flat. */
const GROWTH_MAX_MB = 5;

export interface DesktopBenchOptions {
  readonly seconds: number;
  /** 0: no soak. */
  readonly soakS: number;
  readonly soakStepS: number;
}

interface Stage {
  readonly session: DesktopSession;
  readonly env: Readonly<Record<string, string>>;
  /** null: no desktop, the host streams its test card. */
  readonly desktop: StreamDesktop | null;
  stop(): Promise<void>;
}

/** What moves on the streamed screen. */
interface Scene {
  readonly what: string;
  show(desktop: StreamDesktop, output: string): Promise<SessionProcess>;
}

const SCENES: readonly Scene[] = [
  {
    what: 'a moving program',
    show: async ({ session, socketPath }, output) =>
      (await startPattern(session, socketPath, { output })).process,
  },
  {
    what: 'a terminal that scrolls a line per frame',
    show: async ({ session, env }) => {
      const program = join(import.meta.dir, 'stream-lines.ts');
      return session.spawnOutside(['foot', '--fullscreen', process.execPath, program], { env });
    },
  },
];
const TEST_CARD: Scene = {
  what: 'the test card',
  show: () => Promise.reject(new Error('the test card needs no program')),
};

/** Headless sway, or nothing at all. */
async function openStage(): Promise<Stage> {
  const missing = streamSkipReason('sway', ['foot']);
  if (missing === null) {
    const desktop = await startDesktop('sway');
    const { session, env, stop } = desktop;
    return { session, env, desktop, stop };
  }
  console.log(`the test card is streamed, for want of a desktop: ${missing}`);
  const session = new DesktopSession({});
  return { session, env: session.env, desktop: null, stop: () => session.stop() };
}

/** Prints its tables; throws when no stream comes about. */
export async function benchDesktopStream(options: DesktopBenchOptions): Promise<void> {
  const stage = await openStage();
  try {
    const host = await StreamHost.start(stage.session, { env: stage.env });
    try {
      const scenes = stage.desktop ? SCENES : [TEST_CARD];
      for (const [index, scene] of scenes.entries()) {
        const isLast = index === scenes.length - 1;
        await measure(stage, scene, host, isLast ? options : { ...options, soakS: 0 });
      }
    } finally {
      await host.stop();
    }
  } finally {
    await stage.stop();
  }
}

async function measure(
  { desktop }: Stage,
  scene: Scene,
  host: StreamHost,
  { seconds, soakS, soakStepS }: DesktopBenchOptions,
): Promise<void> {
  await host.pairDevice();
  let [pictures, bytes] = [0, 0];
  const stream = await host.device.stream({
    ...MODE,
    bitrateKbps: BITRATE_KBPS,
    onPicture: (accessUnit) => {
      pictures += 1;
      bytes += accessUnit.length;
    },
  });
  if (!(await stream.untilFrames(1, FIRST_PICTURE_MS))) throw new Error(host.log());
  const { output } = (await host.session()).display;
  const program = desktop && output ? await scene.show(desktop, output) : null;
  await Bun.sleep(WARM_UP_MS);

  const memoryBefore = readMemory(host.pid);
  const before = await host.session();
  const threads = readThreadTimes(host.pid);
  const [picturesBefore, bytesBefore, busyBefore] = [pictures, bytes, machineBusyNs()];
  const own = process.cpuUsage();
  const beganNs = Bun.nanoseconds();
  await Bun.sleep(seconds * 1000);
  const wallNs = Bun.nanoseconds() - beganNs;
  const spent = process.cpuUsage(own);
  const shares = coreShares(threads, readThreadTimes(host.pid), wallNs);
  const busyPct = (100 * (machineBusyNs() - busyBefore)) / wallNs;
  const [shown, received] = [pictures - picturesBefore, bytes - bytesBefore];
  const after = await host.session();
  const memory = readMemory(host.pid);

  const rate = (shown * 1e9) / wallNs;
  const repeated = (after.counters.frames_repeated ?? 0) - (before.counters.frames_repeated ?? 0);
  const mbit = (received * 8) / (wallNs / 1e3);
  const { mode, encoder } = after;
  console.log(`desktop stream: ${scene.what}, ${mode}, ${encoder.backend}, ${seconds} s`);
  row('delivered', `${rate.toFixed(2)} fps, ${mbit.toFixed(2)} Mbit/s; ${repeated} repeated`);
  row('lost', `${stream.video.lostFrames} frames, ${after.counters.frames_dropped ?? 0} dropped`);
  for (const note of after.notes) row('note', note);
  row('stage', 'p50 µs   p99 µs   (since the stream began)');
  for (const { name, p50_us: p50, p99_us: p99 } of after.stages) {
    row(`  ${name}`, `${String(p50 ?? '-').padStart(6)}   ${String(p99 ?? '-').padStart(6)}`);
  }
  row('host CPU', '% of one core');
  for (const { name, percent } of shares.filter((share) => share.percent >= 0.1)) {
    row(`  ${name}`, percent.toFixed(1).padStart(6));
  }
  const sum = shares.reduce((total, { percent }) => total + percent, 0);
  row('  all of it', sum.toFixed(1).padStart(6));
  const devicePct = (100 * (spent.user + spent.system) * 1000) / wallNs;
  row('beside it', `device ${devicePct.toFixed(1)} %, whole machine ${busyPct.toFixed(1)} %`);
  row(
    'memory',
    `${memoryBefore.residentMb.toFixed(1)} MB at the start, ${memory.residentMb.toFixed(1)} MB ` +
      `after ${seconds} s, ${memory.highestMb.toFixed(1)} MB at most`,
  );
  judge(`full rate (${MODE.fps} fps)`, rate >= MODE.fps * FULL_RATE_RATIO);
  judge(`resident memory at most ${RESIDENT_MAX_MB} MB`, memory.highestMb <= RESIDENT_MAX_MB);
  if (soakS > 0) await soak(host.pid, () => pictures, soakS, soakStepS);
  await program?.stop();
  await host.device.quit();
  await stream.ended;
}

/** Looks at memory and rate in steps, and says whether memory is flat. */
async function soak(
  pid: number,
  pictures: () => number,
  seconds: number,
  stepS: number,
): Promise<void> {
  const resident = [readMemory(pid).residentMb];
  console.log(`soak: ${seconds} s, a look every ${stepS} s`);
  const steps = Math.max(1, Math.round(seconds / stepS));
  for (let step = 1; step <= steps; step += 1) {
    const [countBefore, beganNs] = [pictures(), Bun.nanoseconds()];
    await Bun.sleep(stepS * 1000);
    const rate = ((pictures() - countBefore) * 1e9) / (Bun.nanoseconds() - beganNs);
    const { residentMb } = readMemory(pid);
    resident.push(residentMb);
    row(`  ${step * stepS} s`, `${residentMb.toFixed(1)} MB, ${rate.toFixed(2)} fps`);
  }
  const [first = 0, last = 0] = [resident[0], resident.at(-1)];
  const growth = last - first;
  const highest = Math.max(...resident);
  row('growth', `${growth.toFixed(1)} MB in ${steps * stepS} s, ${highest.toFixed(1)} MB at most`);
  judge(`memory flat (growth at most ${GROWTH_MAX_MB} MB)`, growth <= GROWTH_MAX_MB);
  judge(`resident memory at most ${RESIDENT_MAX_MB} MB`, highest <= RESIDENT_MAX_MB);
}

function row(name: string, text: string): void {
  console.log(`  ${name.padEnd(12)} ${text}`);
}

function judge(goal: string, isMet: boolean): void {
  row(isMet ? 'met' : 'MISSED', goal);
}
