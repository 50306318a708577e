import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireInstanceLock, instanceHolder } from '../../src/platform/linux/instance-lock.ts';

const MODULE = join(import.meta.dir, '../../src/platform/linux/instance-lock.ts');
let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pf-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the instance lock', () => {
  test('a second host is refused with the process that holds the folder', () => {
    const lock = acquireInstanceLock(dir);

    expect(() => acquireInstanceLock(dir)).toThrow(`(process ${process.pid}) already uses ${dir}`);
    expect(instanceHolder(dir)).toBe(process.pid);

    lock.release();
  });

  test('after release the folder is free, and releasing twice changes nothing', () => {
    const lock = acquireInstanceLock(dir);
    lock.release();
    const next = acquireInstanceLock(dir);
    lock.release();

    expect(instanceHolder(dir)).toBe(process.pid);
    next.release();
    expect(instanceHolder(dir)).toBeNull();
  });

  test('a file that a dead host left does not hold the folder', () => {
    writeFileSync(join(dir, 'host.lock'), `${process.pid}\n`);

    expect(instanceHolder(dir)).toBeNull();
    acquireInstanceLock(dir).release();
  });

  test('a host that is killed gives the folder back', async () => {
    const script =
      `const { acquireInstanceLock } = await import(${JSON.stringify(MODULE)});` +
      `acquireInstanceLock(${JSON.stringify(dir)});` +
      `console.log('held'); setInterval(() => {}, 1000);`;
    const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' });
    const reader = child.stdout.getReader();
    await reader.read();
    expect(instanceHolder(dir)).toBe(child.pid);

    child.kill('SIGKILL');
    await child.exited;

    acquireInstanceLock(dir).release();
  });

  test('a program started by the host does not keep the lock', async () => {
    const lock = acquireInstanceLock(dir);
    const child = Bun.spawn(['sleep', '30']);
    lock.release();

    expect(instanceHolder(dir)).toBeNull();

    child.kill();
    await child.exited;
  });
});
