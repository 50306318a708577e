/**
 * Where the embedded FFmpeg addon comes from, and its image in memory.
 *
 * In the executable the addon is a compressed asset. It is written once into a sealed memfd of this
 * process and loaded from there: nothing lies in a world-writable directory beside which a foreign
 * library could be planted, and `noexec` mounts do not matter. All threads share that memfd.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import assetPath from '../../build/assets/node-av.zst' with { type: 'file' };
import { ERRNO, errno, errnoName, libc } from '../../ffi/libc.ts';
import { cString } from '../../ffi/loader.ts';
import { type NodeAv, nodeAv } from '../../ffi/node-av.ts';
import { readSeekTable } from './seekable-zstd.ts';

const MEMFD_NAME = 'punktfunk-node-av';
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Linux 6.3; older kernels refuse it and need no flag. */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** No more seals, no shrinking, no growing, no writing (linux/fcntl.h). */
const SEALED = 1 | 2 | 4 | 8;
/** Where Bun keeps files that were embedded at build time. */
const EMBEDDED_PREFIX = '/$bunfs/';

/** Where the addon comes from in this build; `none` says why there is none. */
export type AddonOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'asset'; readonly path: string }
  | { readonly kind: 'none'; readonly missing: string; readonly remedy: string };

/** Looks only; loads nothing. */
export function addonOrigin(): AddonOrigin {
  const isExecutable = assetPath.startsWith(EMBEDDED_PREFIX);
  if (!isExecutable) {
    const path = sourceAddonPath();
    if (existsSync(path)) return { kind: 'file', path };
  }
  if ((statSync(assetPath, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    return { kind: 'asset', path: assetPath };
  }
  return isExecutable
    ? {
        kind: 'none',
        missing: 'not in this build (slim)',
        remedy: 'use the full build, or install the system’s libx264',
      }
    : {
        kind: 'none',
        missing: `the package @seydx/node-av-linux-${process.arch} is not installed`,
        remedy: 'run npm ci without --omit=optional, or install the system’s libx264',
      };
}

/**
 * The addon of this thread. The first call in the process unpacks the asset (about half a second);
 * every further thread shares the memory. Throws with a sentence when it cannot be loaded.
 */
export function embeddedNodeAv(): NodeAv {
  return nodeAv(() => {
    const origin = addonOrigin();
    if (origin.kind === 'none') throw new Error(origin.missing);
    return origin.kind === 'file' ? origin.path : `/proc/self/fd/${addonMemfd(origin.path)}`;
  });
}

/**
 * Descriptor of a sealed memfd that holds the unpacked asset; the one of this process when there
 * already is one. It stays open until the process ends, because later threads load from it.
 */
export function addonMemfd(path: string): number {
  return sharedMemfd() ?? unpack(path);
}

function sourceAddonPath(): string {
  const name = `node-av-linux-${process.arch}`;
  return join(import.meta.dir, '..', '..', 'node_modules', '@seydx', name, 'node-av.node');
}

/** Finds what another thread unpacked: descriptors belong to the whole process. */
function sharedMemfd(): number | undefined {
  for (const entry of readdirSync('/proc/self/fd')) {
    const fd = Number(entry);
    if (isSealedAddon(fd)) return fd;
  }
  return undefined;
}

function isSealedAddon(fd: number): boolean {
  try {
    if (!readlinkSync(`/proc/self/fd/${fd}`).startsWith(`/memfd:${MEMFD_NAME} `)) return false;
  } catch {
    // The descriptor that listed the directory is closed by now.
    return false;
  }
  // An unsealed one is still being written by another thread.
  return libc().fcntl(fd, F_GET_SEALS, 0) === SEALED;
}

function unpack(path: string): number {
  const file = readFileSync(path);
  const chunks = readSeekTable(file);
  if (chunks === null) throw new Error(`the embedded encoder ${path} is damaged; build again`);
  const fd = createMemfd();
  try {
    for (const { offsetBytes, compressedBytes, bytes } of chunks) {
      const frame = file.subarray(offsetBytes, offsetBytes + compressedBytes);
      const chunk = Bun.zstdDecompressSync(frame);
      if (chunk.length !== bytes) throw new Error('the embedded encoder is damaged; build again');
      for (let done = 0; done < bytes; ) done += writeSync(fd, chunk, done, bytes - done);
    }
    if (libc().fcntl(fd, F_ADD_SEALS, SEALED) !== 0) {
      throw new Error(`the memory of the embedded encoder cannot be sealed: ${errnoName(errno())}`);
    }
    // The chunks are garbage of many megabytes that nothing else would collect soon.
    Bun.gc(true);
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

function createMemfd(): number {
  const name = cString(MEMFD_NAME);
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = libc().memfd_create(name, flags | MFD_EXEC);
  if (fd < 0 && errno() === ERRNO.EINVAL) fd = libc().memfd_create(name, flags);
  if (fd < 0) throw new Error(`no memory for the embedded encoder: ${errnoName(errno())}`);
  return fd;
}
