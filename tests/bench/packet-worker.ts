/**
 * Cost of the packet worker, beside a C program doing the same work in the same run.
 *
 *   bun tests/bench/packet-worker.ts [--seconds 8]
 *
 * Pre-encoded access units go through the real ring, worker thread and socket to a draining receiver
 * in another process: over a veth pair into a network namespace of its own where this user may make
 * one, else over loopback. The C program (native/packetize.c: ISA-L, OpenSSL, UDP segmentation) is
 * built when a compiler and the two libraries are there.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { type Subprocess, spawnSync } from 'bun';
import { monotonicNs, prepareMediaThread, sleepUntilNs } from '../../ffi/libc-time.ts';
import { bindParityKernel, PARITY_TABLE_BYTES } from '../../src/fec/parity-kernel.ts';
import { packSocketAddress } from '../../src/net/socket-address.ts';
import { openUdpSocket } from '../../src/net/udp-socket.ts';
import { datagramBytesOf } from '../../src/packet/gamestream-video-format.ts';
import { FrameRingWriter } from '../../src/pipeline/frame-ring.ts';
import type { StartPackets, WorkerReport } from '../../src/pipeline/messages.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';
import { createStreamMemory } from '../../src/pipeline/stream-memory.ts';
import type { GameStreamPacketFormat } from '../../src/session/plan.ts';

const ROOT = join(import.meta.dir, '..', '..');
const NATIVE = join(ROOT, 'build', 'bench', 'packetize');
const WARM_UP_SECONDS = 2;
const secondsIndex = process.argv.indexOf('--seconds');
const SECONDS = secondsIndex < 0 ? 8 : Number(process.argv[secondsIndex + 1]);

/** Goals: share of a core at 150 Mbit/s, and cost relative to the C program. */
const CPU_PCT_MAX = 15;
const RATIO_MAX = 3;

const HOST_WORKER = '../../src/workers/packet.ts';
/** The same loop as on a machine that has no libcrypto. */
const RUNTIME_WORKER = './packet-runtime-worker.ts';
const SCENARIOS = [
  { name: '150 Mbit/s at 120 fps, sealed', bytes: 156_250, fps: 120, sealVideo: true },
  { name: '150 Mbit/s at 120 fps, plain', bytes: 156_250, fps: 120, sealVideo: false },
  { name: '500 Mbit/s at 60 fps, sealed', bytes: 1_041_666, fps: 60, sealVideo: true },
  { name: '500 Mbit/s at 60 fps, plain', bytes: 1_041_666, fps: 60, sealVideo: false },
] as const;
type Scenario = (typeof SCENARIOS)[number];

interface Figures {
  readonly cpuPct: number;
  readonly microsPerDatagram: number;
  readonly lateP50Us: number;
  readonly lateP99Us: number;
  readonly packetizeP50Us: number;
  readonly packetizeP99Us: number;
  readonly lost: number;
  /** Frames that found the ring full. */
  readonly refused: number;
}

interface Link {
  readonly kind: string;
  readonly address: string;
  readonly prefix: readonly string[];
  close(): void;
}

function tryRun(command: readonly string[]): boolean {
  return spawnSync([...command], { stdout: 'ignore', stderr: 'ignore' }).exitCode === 0;
}

/** Removes the links of runs that were killed: they hold the address that this one needs. */
function removeStaleLinks(): void {
  for (const near of readdirSync('/sys/class/net')) {
    const pid = /^pfb(\d+)a$/.exec(near)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    tryRun(['ip', 'link', 'del', near]);
    tryRun(['ip', 'netns', 'del', `pfb${pid}`]);
  }
}

/** A veth pair with the far end in its own namespace, or loopback. */
function openLink(): Link {
  removeStaleLinks();
  const name = `pfb${process.pid}`;
  const near = `${name}a`;
  const far = `${name}b`;
  const inside = ['ip', 'netns', 'exec', name];
  const close = () => {
    tryRun(['ip', 'link', 'del', near]);
    tryRun(['ip', 'netns', 'del', name]);
  };
  const steps = [
    ['ip', 'netns', 'add', name],
    ['ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', name],
    ['ip', 'addr', 'add', '198.18.77.1/30', 'dev', near],
    ['ip', 'link', 'set', near, 'up'],
    [...inside, 'ip', 'addr', 'add', '198.18.77.2/30', 'dev', far],
    [...inside, 'ip', 'link', 'set', far, 'up'],
    [...inside, 'ip', 'link', 'set', 'lo', 'up'],
  ];
  if (Bun.which('ip') && steps.every(tryRun)) {
    return { kind: 'veth pair', address: '198.18.77.2', prefix: inside, close };
  }
  close();
  return { kind: 'loopback', address: '127.0.0.1', prefix: [], close: () => {} };
}

class Drain {
  readonly #child: Subprocess<'pipe', 'pipe', 'inherit'>;
  readonly #lines: AsyncIterator<string>;

  constructor(link: Link) {
    const script = join(import.meta.dir, 'packet-drain.ts');
    this.#child = Bun.spawn([...link.prefix, process.execPath, script], {
      stdin: 'pipe',
      stdout: 'pipe',
    });
    this.#lines = linesOf(this.#child.stdout);
  }

  async nextNumber(): Promise<number> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the receiving process ended early');
    return Number(value);
  }

  async receivedBytes(): Promise<number> {
    await Bun.sleep(100);
    this.#child.stdin.write('?\n');
    this.#child.stdin.flush();
    return this.nextNumber();
  }

  close(): void {
    this.#child.kill();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

/** CPU time of this process's thread called `name`, in nanoseconds. */
function threadCpuNs(name: string): number {
  for (const tid of readdirSync('/proc/self/task')) {
    const directory = `/proc/self/task/${tid}`;
    if (readFileSync(`${directory}/comm`, 'utf8').trim() !== name) continue;
    return Number(readFileSync(`${directory}/schedstat`, 'utf8').split(' ')[0]);
  }
  throw new Error(`there is no thread called ${name}`);
}

function formatOf(scenario: Scenario): GameStreamPacketFormat {
  return {
    kind: 'gamestream',
    packetSize: 1392,
    parityPct: 20,
    minParityShards: 2,
    sealVideo: scenario.sealVideo,
    sealAudio: false,
    key: Uint8Array.from({ length: 16 }, (_, index) => index),
    keyId: 1,
    videoDscp: 0,
    audioDscp: 0,
  };
}

async function measureOurs(
  script: string,
  scenario: Scenario,
  link: Link,
  port: number,
  drain: Drain,
): Promise<Figures> {
  const format = formatOf(scenario);
  const { memory, ring } = createStreamMemory(format);
  const control = new StreamControl();
  const writer = new FrameRingWriter(ring);
  const socket = openUdpSocket({ bindAddress: '0.0.0.0', port: 0 });
  const destination = packSocketAddress(link.address, port, 'ipv4');
  if (destination) control.setAddress('video', destination);
  const worker = new Worker(new URL(script, import.meta.url).href);
  const reports: WorkerReport[] = [];
  worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => reports.push(data);
  const order: StartPackets = {
    kind: 'start-packets',
    control: control.buffer,
    memory,
    ring,
    format,
    socketFd: socket.fd,
    fpsNum: scenario.fps,
    fpsDen: 1,
    testDropPct: 0,
    segmentationOffload: true,
  };
  worker.postMessage(order);
  while (!reports.some((report) => report.kind === 'ready')) await Bun.sleep(5);
  const unit = Uint8Array.from({ length: scenario.bytes }, (_, i) => (i * 131 + (i >> 8)) & 255);
  const record = { frameIndex: 0, flags: 0, captureNs: 0, encodedNs: 0 };
  let refused = 0;
  const push = (seconds: number) => {
    const beginNs = monotonicNs();
    for (let frame = 0; frame < seconds * scenario.fps; frame += 1) {
      sleepUntilNs(beginNs + (frame * 1e9) / scenario.fps);
      record.frameIndex += 1;
      record.captureNs = monotonicNs();
      record.encodedNs = record.captureNs;
      if (!writer.push(unit, record)) refused += 1;
    }
  };
  push(WARM_UP_SECONDS);
  refused = 0;
  await Bun.sleep(50);
  const bytesBefore = await drain.receivedBytes();
  const sentBefore = control.get('packetsSent');
  control.clearStages();
  const cpuBefore = threadCpuNs('pf-packet');
  const wallBefore = monotonicNs();
  push(SECONDS);
  await Bun.sleep(50);
  const wallNs = SECONDS * 1e9;
  const cpuNs = threadCpuNs('pf-packet') - cpuBefore;
  const sent = control.get('packetsSent') - sentBefore;
  const arrived = ((await drain.receivedBytes()) - bytesBefore) / datagramBytesOf(format);
  if (monotonicNs() - wallBefore > wallNs * 1.2)
    console.log('  the pushing thread itself was late');
  control.set('stop', 1);
  while (!reports.some((report) => report.kind === 'stopped')) await Bun.sleep(5);
  worker.terminate();
  socket.close();
  const quantile = (stage: 'queue' | 'packetize', q: number) =>
    control.stageQuantileUs(stage, q) ?? Number.NaN;
  return {
    cpuPct: (100 * cpuNs) / wallNs,
    microsPerDatagram: cpuNs / 1000 / sent,
    lateP50Us: quantile('queue', 0.5),
    lateP99Us: quantile('queue', 0.99),
    packetizeP50Us: quantile('packetize', 0.5),
    packetizeP99Us: quantile('packetize', 0.99),
    lost: Math.round(sent - arrived),
    refused,
  };
}

async function measureNative(
  scenario: Scenario,
  link: Link,
  port: number,
  drain: Drain,
): Promise<Figures> {
  const format = formatOf(scenario);
  const bytesBefore = await drain.receivedBytes();
  const settings = [scenario.bytes, scenario.fps, SECONDS, format.packetSize, format.parityPct];
  const child = Bun.spawn(
    [
      NATIVE,
      'run',
      link.address,
      String(port),
      ...settings.map(String),
      '2',
      String(+format.sealVideo),
    ],
    { stdout: 'pipe' },
  );
  const line = JSON.parse(await new Response(child.stdout).text());
  const arrived = ((await drain.receivedBytes()) - bytesBefore) / datagramBytesOf(format);
  return {
    cpuPct: (100 * line.cpuUs) / line.wallUs,
    microsPerDatagram: line.cpuUs / line.datagrams,
    lateP50Us: line.lateP50Us,
    lateP99Us: line.lateP99Us,
    packetizeP50Us: line.packetizeP50Us,
    packetizeP99Us: line.packetizeP99Us,
    lost: Math.round(line.datagrams - arrived),
    refused: 0,
  };
}

function buildNative(): boolean {
  mkdirSync(join(ROOT, 'build', 'bench'), { recursive: true });
  const source = join(import.meta.dir, 'native', 'packetize.c');
  const compiler = Bun.which('cc') ?? Bun.which('gcc');
  if (!compiler) return existsSync(NATIVE);
  return tryRun([compiler, '-O2', source, '-o', NATIVE, '-lisal', '-lcrypto']);
}

function print(who: string, figures: Figures): void {
  const { cpuPct, microsPerDatagram, lateP50Us, lateP99Us, packetizeP50Us, packetizeP99Us } =
    figures;
  console.log(
    `  ${who.padEnd(12)} ${cpuPct.toFixed(1).padStart(5)} % of a core, ` +
      `${microsPerDatagram.toFixed(2)} µs per datagram; ` +
      `packetize+parity+seal ${packetizeP50Us.toFixed(0)}/${packetizeP99Us.toFixed(0)} µs, ` +
      `frame start late ${lateP50Us.toFixed(0)}/${lateP99Us.toFixed(0)} µs (p50/p99); ` +
      `${figures.lost} datagrams lost, ${figures.refused} frames refused`,
  );
}

function judge(scenario: Scenario, ours: Figures, native: Figures | null): void {
  const verdicts: string[] = [];
  const say = (text: string, isMet: boolean) =>
    verdicts.push(`${text} ${isMet ? 'met' : 'MISSED'}`);
  if (native) {
    const ratio = ours.microsPerDatagram / native.microsPerDatagram;
    say(`${ratio.toFixed(2)} × the C program (≤ ${RATIO_MAX})`, ratio <= RATIO_MAX);
  }
  if (scenario.fps === 120) say(`≤ ${CPU_PCT_MAX} % of a core`, ours.cpuPct <= CPU_PCT_MAX);
  say('schedule held', ours.refused === 0 && ours.lost === 0);
  console.log(`               ${verdicts.join('; ')}`);
}

/** Multiply-accumulate rate of the parity kernel on full blocks, best of several, in GB/s. */
function kernelRate(): number {
  const [dataShards, parityShards, bytes] = [200, 43, 1408];
  const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
  const kernel = bindParityKernel(loadParityModule(), memory, 0);
  const parityAt = PARITY_TABLE_BYTES + dataShards * bytes;
  let bestNs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 400; round += 1) {
    const beginNs = monotonicNs();
    kernel.encode(PARITY_TABLE_BYTES, dataShards, parityAt, parityShards, bytes, bytes);
    bestNs = Math.min(bestNs, monotonicNs() - beginNs);
  }
  return (dataShards * parityShards * bytes) / bestNs;
}

prepareMediaThread('pf-bench-push');
const link = openLink();
const hasNative = buildNative();
console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, load ${loadavg()[0]?.toFixed(2)}, ` +
    `${link.kind}, ${SECONDS} s each after ${WARM_UP_SECONDS} s of warm-up`,
);
if (!hasNative) console.log('no C yardstick: it needs cc, libisal-dev and libssl-dev');
console.log(`parity kernel: ${kernelRate().toFixed(1)} GB/s of multiply-accumulate`);
const drain = new Drain(link);
try {
  const port = await drain.nextNumber();
  for (const scenario of SCENARIOS) {
    console.log(scenario.name);
    const native = hasNative ? await measureNative(scenario, link, port, drain) : null;
    if (native) print('C program', native);
    for (const script of scenario.sealVideo ? [HOST_WORKER, RUNTIME_WORKER] : [HOST_WORKER]) {
      const ours = await measureOurs(script, scenario, link, port, drain);
      print(script === HOST_WORKER ? 'host' : 'no libcrypto', ours);
      judge(scenario, ours, native);
    }
  }
} finally {
  drain.close();
  link.close();
}
process.exit(0);
