import { describe, expect, test } from 'bun:test';
import type { DatagramCalls } from '../../ffi/libc-socket.ts';
import { LadderSender, type SenderRung } from '../../src/net/datagram-sender.ts';

const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;
const ENOBUFS = 105;
const ECONNREFUSED = 111;
const ENOSYS = 38;

/** Calls that answer with `errors` first (0 means success) and note what was sent, in bytes. */
function scriptedCalls(errors: number[] = [], partial = 64) {
  const log: string[] = [];
  const answer = (text: string, done: number) => {
    const errno = errors.shift() ?? 0;
    log.push(errno ? `${text} !${errno}` : text);
    return errno ? -errno : done;
  };
  const calls: DatagramCalls = {
    setDestination: () => {},
    sendSegments: (offset, total, segment) => answer(`gso ${offset}+${total}/${segment}`, total),
    sendMany: (offset, _stride, count, size, last) =>
      answer(`mmsg ${offset} ${count}x${size},${last}`, Math.min(count, partial)),
    sendOne: (offset, size) => answer(`send ${offset}+${size}`, size),
    waitWritable: () => {
      log.push('wait');
      return true;
    },
    close: () => log.push('close'),
  };
  return { calls, log };
}

function senderOn(rung: SenderRung, errors: number[] = [], partial = 64) {
  const { calls, log } = scriptedCalls(errors, partial);
  const sender = new LadderSender(calls, { offsetBytes: 1000, slotBytes: 1408 }, rung);
  return { sender, log };
}

describe('segmentation rung', () => {
  test('100 datagrams of 1408 bytes are three buffers of at most 46', () => {
    const { sender, log } = senderOn('gso');

    expect(sender.send(0, 100, 1408)).toBe(100);

    expect(log).toEqual([
      `gso 1000+${46 * 1408}/1408`,
      `gso ${1000 + 46 * 1408}+${46 * 1408}/1408`,
      `gso ${1000 + 92 * 1408}+${8 * 1408}/1408`,
    ]);
  });

  test('small datagrams stop at 64 segments', () => {
    const { calls, log } = scriptedCalls();
    const sender = new LadderSender(calls, { offsetBytes: 0, slotBytes: 80 }, 'gso');

    sender.send(0, 65, 80);

    expect(log).toEqual([`gso 0+${64 * 80}/80`, `gso ${64 * 80}+80/80`]);
  });

  test('datagrams too large to be cut out of one buffer go one by one, whole', () => {
    const { calls, log } = scriptedCalls();
    const sender = new LadderSender(calls, { offsetBytes: 0, slotBytes: 65_008 }, 'gso');

    expect(sender.send(0, 2, 65_008)).toBe(2);

    expect(log).toEqual(['mmsg 0 2x65008,65008']);
    expect(sender.rung).toBe('gso');
  });

  test('a shorter last datagram shortens only the last buffer', () => {
    const { sender, log } = senderOn('gso');

    sender.send(2, 47, 1408, 100);

    expect(log[0]).toBe(`gso ${1000 + 2 * 1408}+${46 * 1408}/1408`);
    expect(log[1]).toBe(`gso ${1000 + 48 * 1408}+100/1408`);
  });

  test.each([EIO, EINVAL])('errno %i leaves the rung for good and loses nothing', (errno) => {
    const { sender, log } = senderOn('gso', [errno]);

    expect(sender.send(0, 10, 1408)).toBe(10);
    expect(sender.rung).toBe('sendmmsg');
    sender.send(0, 1, 1408);

    expect(log).toEqual([
      `gso 1000+14080/1408 !${errno}`,
      'mmsg 1000 10x1408,1408',
      'mmsg 1000 1x1408,1408',
    ]);
    expect(sender.droppedCount).toBe(0);
  });

  test('a full device queue goes round segmentation once, and leaves it the eighth time', () => {
    const { sender } = senderOn(
      'gso',
      Array.from({ length: 16 }, (_, i) => (i % 2 ? 0 : ENOBUFS)),
    );

    for (let time = 1; time <= 8; time += 1) {
      expect(sender.send(0, 4, 1408)).toBe(4);
      expect(sender.rung).toBe(time < 8 ? 'gso' : 'sendmmsg');
    }
  });
});

describe('batch rung', () => {
  test('100 datagrams are two calls, and a short count goes on where it stopped', () => {
    const { sender, log } = senderOn('sendmmsg', [], 40);

    expect(sender.send(0, 100, 1408)).toBe(100);

    expect(log).toEqual([
      'mmsg 1000 64x1408,1408',
      `mmsg ${1000 + 40 * 1408} 60x1408,1408`,
      `mmsg ${1000 + 80 * 1408} 20x1408,1408`,
    ]);
  });

  test('a kernel without the call gets one send per datagram', () => {
    const { sender, log } = senderOn('sendmmsg', [ENOSYS]);

    expect(sender.send(0, 2, 1408, 64)).toBe(2);

    expect(sender.rung).toBe('send');
    expect(log.slice(1)).toEqual(['send 1000+1408', `send ${1000 + 1408}+64`]);
  });
});

describe.each(['gso', 'sendmmsg', 'send'] as const)('on rung %s', (rung) => {
  test('a refused earlier datagram and a signal are survived without loss', () => {
    const { sender } = senderOn(rung, [ECONNREFUSED, EINTR]);

    expect(sender.send(0, 3, 1408)).toBe(3);
    expect(sender.rung).toBe(rung);
  });

  test('a full socket is waited for, at most four times', () => {
    const patient = senderOn(rung, [EAGAIN, EAGAIN]);
    expect(patient.sender.send(0, 3, 1408)).toBe(3);
    expect(patient.log.filter((line) => line === 'wait').length).toBe(2);

    const hopeless = senderOn(rung, new Array(20).fill(EAGAIN));
    expect(hopeless.sender.send(0, 3, 1408)).toBe(0);
    expect(hopeless.log.filter((line) => line === 'wait').length).toBe(4);
    expect(hopeless.sender.droppedCount).toBe(3);
  });

  test('after a hopeless wait nothing more is waited for until the socket takes something', () => {
    const { sender, log } = senderOn(rung, [...new Array(7).fill(EAGAIN), 0, EAGAIN]);
    const waits = () => log.filter((line) => line === 'wait').length;

    expect(sender.send(0, 1, 1408)).toBe(0);
    expect(waits()).toBe(4);
    expect(sender.send(0, 1, 1408)).toBe(0);
    expect(sender.send(0, 1, 1408)).toBe(0);
    expect(waits()).toBe(4);
    expect(sender.send(0, 1, 1408)).toBe(1);
    expect(sender.send(0, 1, 1408)).toBe(1);
    expect(waits()).toBe(5);
  });

  test('a peer that refuses for ever costs a bounded number of calls', () => {
    const { sender, log } = senderOn(rung, new Array(20).fill(ECONNREFUSED));

    expect(sender.send(0, 3, 1408)).toBe(0);
    expect(log.length).toBe(4);
    expect(sender.lastError).toBe('ECONNREFUSED');
  });

  test('a datagram larger than the path takes is dropped, counted, and the rung stays', () => {
    const { sender } = senderOn(rung, [EMSGSIZE]);

    expect(sender.send(0, 3, 1408)).toBe(0);
    expect(sender.droppedCount).toBe(3);
    expect(sender.lastError).toBe('EMSGSIZE');
    expect(sender.rung).toBe(rung);
    expect(sender.send(0, 3, 1408)).toBe(3);
  });
});
