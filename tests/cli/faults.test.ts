import { describe, expect, test } from 'bun:test';
import { LibraryError } from '../../ffi/loader.ts';
import { asOperatorError, guardAgainstFaults, reportFault } from '../../src/cli/faults.ts';
import { OperatorError } from '../../src/platform/operator-error.ts';

function systemError(code: string, rest: object = {}): Error {
  return Object.assign(new Error(`${code}: something`), { code, ...rest });
}

describe('a fault on its way to the terminal', () => {
  test.each([
    ['a port in use', systemError('EADDRINUSE', { port: 1 }), 'Port 1 is in use by another'],
    [
      'a foreign address',
      systemError('EADDRNOTAVAIL', { address: '10.9.9.9' }),
      'The address 10.9.9.9',
    ],
    ['a read-only place', systemError('EROFS', { path: '/ro/x' }), '/ro/x is on a read-only file'],
    ['a closed file', systemError('EACCES', { path: '/root/x' }), 'This user may not use /root/x.'],
    ['a low port', systemError('EACCES', { port: 80 }), 'This user may not use port 80.'],
    ['a full disk', systemError('ENOSPC', { path: '/x' }), 'There is no space left to write /x.'],
    ['too many files', systemError('EMFILE'), 'The limit of open files is reached.'],
    [
      'a missing library',
      new LibraryError({ kind: 'absent', library: 'libx.so.1', detail: 'not found' }),
      'libx.so.1 cannot be used: not found.',
    ],
    ['a fault of ours', new Error('no function'), 'A fault of the program itself: no function.'],
    ['a thrown text', 'a text', 'A fault of the program itself: a text.'],
    ['a thrown nothing', null, 'A fault of the program itself: null.'],
  ])('%s becomes a sentence and a next step', (_, error, sentence) => {
    const { what, next, exitCode } = asOperatorError(error);

    expect(what).toStartWith(sentence);
    expect(next).toMatch(/^[A-Z].+\.$/);
    expect(exitCode).toBe(1);
  });

  test('an operator error keeps its words and code, and no stack is printed', () => {
    let printed = '';
    const error = new OperatorError({ what: 'It is so.', next: 'Do this.', exitCode: 2 });

    const code = reportFault(error, (text) => {
      printed += text;
    });

    expect(code).toBe(2);
    expect(printed).toBe('punktfunk: It is so.\nDo this.\n');
  });
});

describe('the guard of a running host', () => {
  test('a rejection that nobody awaits ends it with a sentence, after putting things back', async () => {
    let printed = '';
    const order: string[] = [];
    const ended = new Promise<number>((resolve) => {
      const guard = guardAgainstFaults(
        (text) => {
          printed += text;
        },
        (code) => {
          order.push('exit');
          guard.remove();
          resolve(code);
        },
      );
      guard.beforeExit(async () => {
        order.push('put back');
      });
      process.emit('unhandledRejection', new Error('the socket is gone'), Promise.resolve());
      process.emit('uncaughtException', new Error('and this too'));
    });

    expect(await ended).toBe(1);
    expect(order).toEqual(['put back', 'exit']);
    expect(printed).toStartWith('punktfunk: A fault of the program itself: the socket is gone.\n');
    expect(printed).toContain('and this too');
    expect(printed).not.toContain('    at ');
  });
});
