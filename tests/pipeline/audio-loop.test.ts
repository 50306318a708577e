import { describe, expect, test } from 'bun:test';
import type { AudioCapture } from '../../src/audio/port.ts';
import { bindParityKernel } from '../../src/fec/parity-kernel.ts';
import { AUDIO_MEMORY_BYTES, AudioPacketizer } from '../../src/packet/gamestream-audio.ts';
import { runAudioLoop } from '../../src/pipeline/audio-loop.ts';
import { loadParityModule } from '../../src/pipeline/parity-module.ts';
import { StreamControl } from '../../src/pipeline/stream-control.ts';

const MS = 1e6;
const TYPE_DATA = 97;
/** How late a sleeping thread wakes on a normal machine. */
const OVERSLEEP_NS = 0.06 * MS;

interface Sent {
  readonly sequence: number;
  readonly atNs: number;
  readonly to: number;
  readonly isSilent: boolean;
}

/** A sound server that hands out portions of `quantum` frames while `isPlaying`. */
class ScriptedSource {
  isPlaying = true;
  lostCause: string | null = null;
  isClosed = false;
  fault: string | null = null;
  /** Frames per second as our clock sees it. */
  rateHz = 48_000;
  readonly #rig: Rig;
  readonly #quantum: number;
  #nextPortionNs: number;
  #availableFrames = 0;

  constructor(rig: Rig, quantum: number) {
    this.#rig = rig;
    this.#quantum = quantum;
    this.#nextPortionNs = rig.nowNs;
  }

  capture(): AudioCapture {
    return {
      description: 'scripted monitor',
      channels: 2,
      read: (into, timeoutMs) => this.#read(into, timeoutMs),
      lost: () => this.lostCause,
      close: () => {
        this.isClosed = true;
      },
    };
  }

  #read(into: Float32Array, timeoutMs: number): boolean {
    if (this.fault !== null) throw new Error(this.fault);
    const deadlineNs = this.#rig.nowNs + timeoutMs * MS;
    const frames = into.length / 2;
    for (;;) {
      this.#arrive();
      if (this.#availableFrames >= frames) {
        this.#availableFrames -= frames;
        into.fill(0.5);
        return true;
      }
      if (this.lostCause !== null || this.#rig.nowNs >= deadlineNs) return false;
      this.#rig.nowNs = Math.min(deadlineNs, Math.max(this.#nextPortionNs, this.#rig.nowNs + 1e4));
    }
  }

  #arrive(): void {
    const portionNs = (this.#quantum / this.rateHz) * 1e9;
    while (this.#nextPortionNs <= this.#rig.nowNs) {
      if (this.isPlaying) this.#availableFrames += this.#quantum;
      this.#nextPortionNs += portionNs;
    }
  }
}

/** The audio loop on a clock that only moves when somebody waits. */
class Rig {
  nowNs = 1e9;
  readonly control = new StreamControl();
  readonly sent: Sent[] = [];
  readonly reports: string[] = [];
  readonly packetMs: 5 | 10;
  opened = 0;
  open: () => AudioCapture = () => {
    throw new Error('no source is scripted');
  };
  /** Called before each packet; changes the world at its time. */
  world: (elapsedMs: number) => void = () => {};
  readonly #beganNs = this.nowNs;
  #isSilent = false;

  constructor(packetMs: 5 | 10 = 5) {
    this.packetMs = packetMs;
    this.control.setAddress('audio', Uint8Array.of(1));
  }

  get elapsedMs(): number {
    return (this.nowNs - this.#beganNs) / MS;
  }

  run(forMs: number): void {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const packetizer = new AudioPacketizer(
      bindParityKernel(parityModule, memory, 0),
      memory.buffer,
      { durationMs: this.packetMs, sealing: null },
    );
    runAudioLoop(
      { channels: 2, packetDurationMs: this.packetMs },
      {
        openCapture: () => {
          this.opened += 1;
          return this.open();
        },
        encoder: {
          framesPerPacket: 48 * this.packetMs,
          encode: (block) => {
            this.#isSilent = block.every((sample) => sample === 0);
            return new Uint8Array(60);
          },
          close: () => {},
        },
        packetizer,
        send: (datagram, sockaddr) => {
          this.#note(datagram, sockaddr[0] ?? 0);
          return true;
        },
        nowNs: () => {
          this.world(this.elapsedMs);
          if (this.elapsedMs >= forMs) this.control.set('stop', 1);
          this.nowNs += 500;
          return this.nowNs;
        },
        sleepUntilNs: (deadlineNs) => {
          if (deadlineNs > this.nowNs) this.nowNs = deadlineNs + OVERSLEEP_NS;
        },
        report: ({ name, value }) => this.reports.push(`${name}: ${value}`),
      },
      this.control,
    );
  }

  /** Distances of successive packets in milliseconds. */
  gapsMs(): number[] {
    return this.sent.slice(1).map(({ atNs }, at) => (atNs - (this.sent[at]?.atNs ?? 0)) / MS);
  }

  get isContinuous(): boolean {
    return this.sent.every(({ sequence }, index) => sequence === index % 65_536);
  }

  #note(datagram: Uint8Array, to: number): void {
    if (datagram[1] !== TYPE_DATA) return;
    const sequence = ((datagram[2] ?? 0) << 8) | (datagram[3] ?? 0);
    this.sent.push({ sequence, atNs: this.nowNs, to, isSilent: this.#isSilent });
  }
}

const pages = Math.ceil(AUDIO_MEMORY_BYTES / 65_536);
const parityModule = loadParityModule();

function playing(rig: Rig, quantum = 240): ScriptedSource {
  const source = new ScriptedSource(rig, quantum);
  rig.open = () => source.capture();
  return source;
}

describe('without sound', () => {
  test.each([5, 10] as const)(
    'a packet of silence leaves every %d ms, without drift',
    (packetMs) => {
      const rig = new Rig(packetMs);
      rig.open = () => ({ ...playing(rig).capture(), read: () => false });

      rig.run(60_000);

      expect(rig.isContinuous).toBe(true);
      expect(rig.sent.length).toBeWithin(60_000 / packetMs - 1, 60_000 / packetMs + 2);
      expect(Math.max(...rig.gapsMs())).toBeLessThan(packetMs + 0.2);
      expect(rig.sent.every(({ isSilent }) => isSilent)).toBe(true);
      expect(rig.control.count('audioSilentPackets')).toBe(rig.sent.length);
    },
  );

  test('a source that cannot be opened is tried once a second and its reason said once', () => {
    const rig = new Rig();
    rig.open = () => {
      throw new Error('no daemon');
    };

    rig.run(5_000);

    expect(rig.opened).toBe(5);
    expect(rig.reports).toEqual(['audio: no daemon']);
    expect(rig.sent.length).toBeWithin(998, 1002);
  });

  test('a machine that slept does not send what it missed', () => {
    const rig = new Rig();
    rig.open = () => ({ ...playing(rig).capture(), read: () => false });
    let hasSlept = false;
    rig.world = (elapsedMs) => {
      if (elapsedMs < 1_000 || hasSlept) return;
      hasSlept = true;
      rig.nowNs += 3_000 * MS;
    };

    rig.run(5_000);

    expect(rig.sent.length).toBeWithin(398, 404);
    expect(Math.min(...rig.gapsMs())).toBeGreaterThan(4.4);
  });
});

describe('while sound flows', () => {
  test.each([64, 240, 256, 1024, 2048])(
    'in portions of %d frames, every packet is sound and none leaves in a burst',
    (quantum) => {
      const rig = new Rig();
      playing(rig, quantum);

      rig.run(10_000);

      const steady = rig.sent.slice(20);
      expect(rig.isContinuous).toBe(true);
      expect(steady.filter(({ isSilent }) => isSilent)).toEqual([]);
      expect(rig.sent.length).toBeWithin(1980, 2011);
      expect(Math.min(...rig.gapsMs())).toBeGreaterThan(4.4);
      expect(Math.max(...rig.gapsMs().slice(20))).toBeLessThan(20);
    },
  );

  test.each([47_500, 48_500])('at %d Hz of our clock, the source’s rate is followed', (rateHz) => {
    const rig = new Rig();
    playing(rig, 256).rateHz = rateHz;

    rig.run(20_000);

    const silent = rig.sent.slice(20).filter(({ isSilent }) => isSilent);
    expect(silent).toEqual([]);
    expect(rig.sent.length).toBeWithin((rateHz / 240) * 20 - 12, (rateHz / 240) * 20 + 12);
  });

  test('and stops and flows again, the device misses no packet and waits at most the grace', () => {
    const rig = new Rig();
    const source = playing(rig, 240);
    rig.world = (elapsedMs) => {
      source.isPlaying = elapsedMs % 1_000 < 500;
    };

    rig.run(10_000);

    expect(rig.isContinuous).toBe(true);
    // Grace of 15 ms and one packet: three packets late at most, and the count catches up.
    expect(Math.max(...rig.gapsMs())).toBeLessThan(20.5);
    for (const [index, { atNs }] of rig.sent.entries()) {
      const dueMs = (atNs - (rig.sent[0]?.atNs ?? 0)) / 5 / MS;
      expect(index - dueMs).toBeGreaterThan(-4.2);
    }
    expect(rig.sent.some(({ isSilent }) => isSilent)).toBe(true);
    expect(rig.sent.length).toBeWithin(1990, 2030);
  });
});

describe('a source that is lost', () => {
  test('gives way to silence at once and is opened again a second later', () => {
    const rig = new Rig();
    let source = playing(rig);
    rig.open = () => {
      source = new ScriptedSource(rig, 240);
      return source.capture();
    };
    rig.world = (elapsedMs) => {
      if (elapsedMs > 1_000 && rig.opened === 1) source.lostCause = 'the daemon went away';
    };

    rig.run(4_000);

    expect(rig.opened).toBe(2);
    expect(rig.reports).toEqual([
      'audio: scripted monitor',
      'audio: lost: the daemon went away',
      'audio: scripted monitor',
    ]);
    expect(rig.isContinuous).toBe(true);
    expect(Math.max(...rig.gapsMs())).toBeLessThan(10.5);
    const silentMs = rig.sent.filter(({ isSilent }) => isSilent).length * 5;
    expect(silentMs).toBeWithin(950, 1060);
  });

  test('again and again is said once', () => {
    const rig = new Rig();
    const source = playing(rig);
    source.isPlaying = false;
    source.lostCause = 'the sink is not there';

    rig.run(6_000);

    expect(rig.opened).toBeWithin(5, 8);
    expect(rig.reports).toEqual(['audio: scripted monitor', 'audio: lost: the sink is not there']);
    expect(rig.sent.length).toBeWithin(1195, 1203);
  });

  test('by an exception does not end the stream', () => {
    const rig = new Rig();
    const source = playing(rig);
    rig.world = (elapsedMs) => {
      source.fault = elapsedMs > 500 && elapsedMs < 1_000 ? 'a callback threw' : null;
    };

    rig.run(3_000);

    expect(rig.reports[1]).toBe('audio: lost: a callback threw');
    expect(rig.isContinuous).toBe(true);
    expect(rig.sent.at(-1)?.isSilent).toBe(false);
  });
});

describe('the destination', () => {
  test('nothing is numbered before it is known', () => {
    const rig = new Rig();
    playing(rig);
    rig.control.set('audioAddressVersion', 0);
    rig.world = (elapsedMs) => {
      if (elapsedMs > 700 && rig.control.get('audioAddressVersion') === 0) {
        rig.control.setAddress('audio', Uint8Array.of(9));
      }
    };

    rig.run(1_000);

    expect(rig.sent[0]).toMatchObject({ sequence: 0, to: 9 });
    expect(rig.sent.length).toBeWithin(55, 64);
    expect(rig.isContinuous).toBe(true);
  });

  test('may change: the packets go on there, counted on', () => {
    const rig = new Rig();
    playing(rig);
    rig.world = (elapsedMs) => {
      if (elapsedMs > 500 && rig.control.get('audioAddressVersion') === 1) {
        rig.control.setAddress('audio', Uint8Array.of(2));
      }
    };

    rig.run(1_000);

    expect(rig.isContinuous).toBe(true);
    expect(rig.sent.filter(({ to }) => to === 1).length).toBeWithin(98, 104);
    expect(rig.sent.at(-1)?.to).toBe(2);
    expect(Math.max(...rig.gapsMs())).toBeLessThan(10);
  });
});

test('the end is heard within a packet, and the source is closed', () => {
  const rig = new Rig();
  const source = playing(rig, 1024);

  rig.run(500);

  expect(rig.elapsedMs).toBeLessThan(525);
  expect(source.isClosed).toBe(true);
});
