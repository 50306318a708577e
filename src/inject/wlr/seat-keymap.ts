/**
 * The keymap that the desktop's own keyboard uses, so that keys from a device give what the same
 * keys give at the desk. Null when the seat has no keyboard yet.
 */
import { readSync } from 'node:fs';
import { closeFd } from '../../../ffi/libc-fd.ts';
import type { WaylandConnection, WaylandObject } from '../../desktop/wayland/connection.ts';
import { WL_KEYBOARD, type WL_SEAT } from '../../desktop/wayland/protocols/core.ts';
import { KEYMAP_NAME } from './base-keymap.ts';

const FORMAT_XKB_V1 = 1;
/** The largest keymaps of four layouts are about 200 KiB of text. */
const KEYMAP_BYTES_MAX = 1024 * 1024;
const ANSWER_TIMEOUT_MS = 1_000;

export async function readSeatKeymap(
  connection: WaylandConnection,
  seat: WaylandObject<keyof typeof WL_SEAT.requests>,
): Promise<string | null> {
  let text: string | null = null;
  const keyboard = connection.construct(seat, 'get_keyboard', WL_KEYBOARD, {
    keymap: ([format, fd, size]) => {
      if (format === FORMAT_XKB_V1) text = readKeymap(Number(fd), Number(size));
      closeFd(Number(fd));
    },
  });
  await connection.roundtripAsync(ANSWER_TIMEOUT_MS);
  connection.destroy(keyboard);
  return usableKeymap(text);
}

/** Null for no keymap and for one of our own, left by a session that types text right now. */
export function usableKeymap(text: string | null): string | null {
  return text === null || text.includes(`xkb_symbols "${KEYMAP_NAME}"`) ? null : text;
}

function readKeymap(fd: number, sizeBytes: number): string | null {
  if (sizeBytes < 1 || sizeBytes > KEYMAP_BYTES_MAX) return null;
  const bytes = new Uint8Array(sizeBytes);
  try {
    let done = 0;
    while (done < sizeBytes) {
      const read = readSync(fd, bytes, done, sizeBytes - done, done);
      if (read === 0) break;
      done += read;
    }
  } catch {
    return null;
  }
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? sizeBytes : end));
}
