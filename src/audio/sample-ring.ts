/** A bounded ring of float samples; when it overflows the oldest samples go. Pure. */

export class SampleRing {
  readonly #samples: Float32Array;
  #start = 0;
  #count = 0;
  droppedSamples = 0;

  constructor(capacitySamples: number) {
    this.#samples = new Float32Array(capacitySamples);
  }

  get count(): number {
    return this.#count;
  }

  put(samples: Float32Array): void {
    const capacity = this.#samples.length;
    const kept = samples.length > capacity ? samples.subarray(samples.length - capacity) : samples;
    const excess = Math.max(0, this.#count + kept.length - capacity);
    this.#start = (this.#start + excess) % capacity;
    this.#count -= excess;
    this.droppedSamples += excess + samples.length - kept.length;
    const end = (this.#start + this.#count) % capacity;
    const first = Math.min(kept.length, capacity - end);
    this.#samples.set(kept.subarray(0, first), end);
    this.#samples.set(kept.subarray(first), 0);
    this.#count += kept.length;
  }

  /** Fills `into` completely or not at all. */
  take(into: Float32Array): boolean {
    if (this.#count < into.length) return false;
    const capacity = this.#samples.length;
    const first = Math.min(into.length, capacity - this.#start);
    into.set(this.#samples.subarray(this.#start, this.#start + first));
    into.set(this.#samples.subarray(0, into.length - first), first);
    this.#start = (this.#start + into.length) % capacity;
    this.#count -= into.length;
    return true;
  }
}
