/**
 * Keeps software encoding in time: a faster preset first, then fewer frames per second, and back up
 * slowly. Pure: encode times and the clock come from the caller.
 *
 * Down: the 95th percentile of a window lies above 60 % of the frame interval. Up: what the better
 * setting would cost stays below 40 % of its interval for a whole hold time; each step up that
 * fails doubles the hold time. Every change rebuilds the encoder and costs an IDR, hence the inertia.
 */

/** Share of the frame interval that encoding may take. */
export const LOAD_DOWN_RATIO = 0.6;
export const LOAD_UP_RATIO = 0.4;
/** Samples after which a window is judged, at least; also bounds the window. */
const WINDOW_SAMPLES = 60;
const WINDOW_MIN_NS = 1e9;
const WINDOW_MAX_SAMPLES = 480;
/** After a change the first pictures (IDR, cold caches) say nothing. */
const SKIPPED_SAMPLES = 10;
const HOLD_UP_NS = 10e9;
const HOLD_UP_MAX_NS = 300e9;
/** superfast costs about twice what ultrafast does (x264, 720p and 1080p). */
const SUPERFAST_COST = 2;
/** Frame rates as shares of the wished one. */
const RATE_STEPS = [
  [1, 1],
  [2, 3],
  [1, 2],
  [1, 3],
  [1, 4],
] as const;
/** No step goes below this. */
const FPS_MIN = 10;
/** Pixels per second that fewer than six cores are asked to encode: 1080p60, give or take 5 %. */
const PIXEL_RATE_MAX = 1920 * 1080 * 60 * 1.05;
const CORES_FOR_MORE = 6;

export type SoftwarePreset = 'superfast' | 'ultrafast';

export interface SoftwareSetting {
  readonly preset: SoftwarePreset;
  readonly fpsNum: number;
  readonly fpsDen: number;
  /** Sentence for status. */
  readonly reason: string;
}

export interface SoftwareRate {
  readonly fpsNum: number;
  readonly fpsDen: number;
  /** Sentence for status when the wish is not met. */
  readonly note: string | null;
}

/** The frame rate software encoding starts with on this machine, before anything is measured. */
export function softwareRate(
  wish: {
    readonly width: number;
    readonly height: number;
    readonly fpsNum: number;
    readonly fpsDen: number;
  },
  cores: number,
): SoftwareRate {
  const { width, height, fpsNum, fpsDen } = wish;
  const pixels = width * height;
  if (cores >= CORES_FOR_MORE || pixels * (fpsNum / fpsDen) <= PIXEL_RATE_MAX) {
    return { fpsNum, fpsDen, note: null };
  }
  const rates = rateSteps(fpsNum, fpsDen);
  const [num, den] = rates.find(([n, d]) => pixels * (n / d) <= PIXEL_RATE_MAX) ??
    rates.at(-1) ?? [fpsNum, fpsDen];
  const note =
    `${width}x${height} is encoded at ${formatRate(num, den)} fps: software encoding on ` +
    `${cores} cores goes up to 1080p60`;
  return { fpsNum: num, fpsDen: den, note };
}

export class EncodeLoadGovernor {
  readonly #settings: readonly SoftwareSetting[];
  readonly #window = new Float64Array(WINDOW_MAX_SAMPLES);
  #count = 0;
  #skip = SKIPPED_SAMPLES;
  #windowStartNs = -1;
  /** Index into `#settings`; 0 is what the device wished. */
  #level = 0;
  /** Since when the better setting would have fitted; -1: it would not. */
  #calmSinceNs = -1;
  #holdUpNs = HOLD_UP_NS;
  #lastUpNs = Number.NEGATIVE_INFINITY;

  constructor(fpsNum: number, fpsDen: number) {
    this.#settings = ladder(fpsNum, fpsDen);
  }

  /**
   * Takes the encode time of one picture.
   * @returns the new setting when it changed, else null.
   */
  sample(encodeNs: number, nowNs: number): SoftwareSetting | null {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return null;
    }
    if (this.#windowStartNs < 0) this.#windowStartNs = nowNs;
    this.#window[this.#count] = encodeNs;
    this.#count += 1;
    const isOld = nowNs - this.#windowStartNs >= WINDOW_MIN_NS;
    if (!((isOld && this.#count >= WINDOW_SAMPLES) || this.#count === WINDOW_MAX_SAMPLES))
      return null;
    const p95Ns = percentile95(this.#window.subarray(0, this.#count));
    this.#count = 0;
    this.#windowStartNs = -1;
    return this.#judge(p95Ns, nowNs);
  }

  #judge(p95Ns: number, nowNs: number): SoftwareSetting | null {
    const setting = this.#settings[this.#level];
    if (!setting) return null;
    const intervalNs = intervalOf(setting);
    if (p95Ns > intervalNs * LOAD_DOWN_RATIO) {
      this.#calmSinceNs = -1;
      if (this.#level === this.#settings.length - 1) return null;
      if (nowNs - this.#lastUpNs < this.#holdUpNs * 3) {
        this.#holdUpNs = Math.min(this.#holdUpNs * 2, HOLD_UP_MAX_NS);
      }
      return this.#change(this.#level + 1, p95Ns, intervalNs);
    }
    const better = this.#settings[this.#level - 1];
    if (!better) return null;
    const cost = better.preset === setting.preset ? 1 : SUPERFAST_COST;
    if (p95Ns * cost > intervalOf(better) * LOAD_UP_RATIO) {
      this.#calmSinceNs = -1;
      return null;
    }
    if (this.#calmSinceNs < 0) this.#calmSinceNs = nowNs;
    if (nowNs - this.#calmSinceNs < this.#holdUpNs) return null;
    this.#calmSinceNs = -1;
    this.#lastUpNs = nowNs;
    return this.#change(this.#level - 1, p95Ns, intervalNs);
  }

  #change(level: number, p95Ns: number, intervalNs: number): SoftwareSetting | null {
    const isDown = level > this.#level;
    this.#level = level;
    this.#skip = SKIPPED_SAMPLES;
    const setting = this.#settings[level];
    if (!setting) return null;
    const load = `encoding takes ${ms(p95Ns)} of ${ms(intervalNs)} ms`;
    const cause = isDown ? `too slow, ${load}` : `fast enough again, ${load}`;
    const rate = formatRate(setting.fpsNum, setting.fpsDen);
    return { ...setting, reason: `${cause}: x264 ${setting.preset} at ${rate} fps` };
  }
}

/** All settings from the wished one down. */
function ladder(fpsNum: number, fpsDen: number): SoftwareSetting[] {
  const reason = 'as the device wished';
  const settings: SoftwareSetting[] = [{ preset: 'superfast', fpsNum, fpsDen, reason }];
  for (const [num, den] of rateSteps(fpsNum, fpsDen)) {
    settings.push({ preset: 'ultrafast', fpsNum: num, fpsDen: den, reason });
  }
  return settings;
}

function rateSteps(fpsNum: number, fpsDen: number): [number: number, denominator: number][] {
  const steps: [number, number][] = [];
  for (const [num, den] of RATE_STEPS) {
    const isWhole = (fpsNum * num) % den === 0;
    const step: [number, number] = isWhole
      ? [(fpsNum * num) / den, fpsDen]
      : [fpsNum * num, fpsDen * den];
    if (steps.length > 0 && step[0] / step[1] < FPS_MIN) break;
    steps.push(step);
  }
  return steps;
}

function intervalOf(setting: SoftwareSetting): number {
  return (1e9 * setting.fpsDen) / setting.fpsNum;
}

/** Sorts `samples` in place. */
function percentile95(samples: Float64Array): number {
  samples.sort();
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * 0.95))] ?? 0;
}

function ms(ns: number): string {
  return (ns / 1e6).toFixed(1);
}

function formatRate(fpsNum: number, fpsDen: number): string {
  return String(Number((fpsNum / fpsDen).toFixed(2)));
}
