/**
 * Which AES seals video datagrams: the system's libcrypto in place, where it is present and proves
 * itself against the runtime's AES, else the runtime's.
 */
import { GcmContext } from '../../ffi/libcrypto.ts';
import {
  SEAL_IV_BYTES,
  SEAL_PREFIX_BYTES,
  SEAL_TAG_OFFSET,
} from '../packet/gamestream-video-format.ts';
import {
  RuntimeVideoSealer,
  type SlotArea,
  type VideoSealer,
  writeVideoIv,
} from '../packet/gamestream-video-seal.ts';

export interface OpenedSealer {
  readonly sealer: VideoSealer;
  readonly rung: 'libcrypto' | 'runtime';
  /** Why the better rung was not taken, else empty. */
  readonly reason: string;
  close(): void;
}

/** Sealer for `slots` under `key`, on the faster rung this machine has. */
export function openVideoSealer(key: Uint8Array, slots: SlotArea): OpenedSealer {
  let reason = 'libcrypto gave other bytes than the runtime';
  try {
    if (agreesWithRuntime()) {
      const sealer = new LibcryptoVideoSealer(key, slots);
      return { sealer, rung: 'libcrypto', reason: '', close: () => sealer.close() };
    }
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  const sealer = new RuntimeVideoSealer(key, slots);
  return { sealer, rung: 'runtime', reason, close: () => {} };
}

/** Seals in place through libcrypto, without allocating. */
export class LibcryptoVideoSealer implements VideoSealer {
  readonly #context: GcmContext;
  readonly #slots: SlotArea;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  #counter = 1;

  constructor(key: Uint8Array, slots: SlotArea) {
    this.#context = new GcmContext(key, slots.memory);
    this.#slots = slots;
    this.#bytes = new Uint8Array(slots.memory);
    this.#words = new Uint32Array(slots.memory);
  }

  /** Throws when libcrypto refuses: a datagram never leaves unsealed. */
  seal(first: number, count: number, frameIndex: number): void {
    const { offsetBytes, slotBytes } = this.#slots;
    for (let index = first; index < first + count; index += 1) {
      const at = offsetBytes + index * slotBytes;
      writeVideoIv(this.#bytes, at, this.#counter);
      this.#counter += 1;
      this.#words[(at + SEAL_IV_BYTES) >>> 2] = frameIndex;
      const text = at + SEAL_PREFIX_BYTES;
      const bytes = slotBytes - SEAL_PREFIX_BYTES;
      if (!this.#context.sealInPlace(at, text, bytes, at + SEAL_TAG_OFFSET)) {
        throw new Error('libcrypto refused to seal a video datagram');
      }
    }
  }

  close(): void {
    this.#context.close();
  }
}

/** Both rungs over the same datagrams under the same throw-away key. */
function agreesWithRuntime(): boolean {
  const slotBytes = SEAL_PREFIX_BYTES + 1040;
  const results = [0, 1].map((which) => {
    const memory = new ArrayBuffer(2 * slotBytes);
    const bytes = new Uint8Array(memory);
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = index * 37;
    const slots: SlotArea = { memory, offsetBytes: 0, slotBytes, slotCount: 2 };
    const key = bytes.slice(0, 16);
    if (which === 0) {
      new RuntimeVideoSealer(key, slots).seal(0, 2, 7);
    } else {
      const sealer = new LibcryptoVideoSealer(key, slots);
      sealer.seal(0, 2, 7);
      sealer.close();
    }
    return bytes;
  });
  return Buffer.compare(results[0] ?? new Uint8Array(1), results[1] ?? new Uint8Array(2)) === 0;
}
