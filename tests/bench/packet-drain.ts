/**
 * Receiver of the packet benchmark: a process of its own that takes everything off its socket, with
 * receive offload so that it costs the sender as little as a network card would. Prints its port,
 * then one number per line of standard input: the bytes received so far.
 */
import { libc } from '../../ffi/libc.ts';
import { SOCKET, setIntOption } from '../../ffi/libc-socket.ts';
import { pin, stableBytes } from '../../ffi/pins.ts';
import { openUdpSocket } from '../../src/net/udp-socket.ts';

const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const BUFFER_BYTES = 32 * 1024 * 1024;

const socket = openUdpSocket({ bindAddress: '0.0.0.0', port: 0 });
setIntOption(socket.fd, SOCKET.IPPROTO_UDP, UDP_GRO, 1);
if (setIntOption(socket.fd, SOCKET.SOL_SOCKET, SOCKET.SO_RCVBUFFORCE, BUFFER_BYTES) < 0) {
  setIntOption(socket.fd, SOCKET.SOL_SOCKET, SOCKET.SO_RCVBUF, BUFFER_BYTES);
}
const buffer = pin(stableBytes(65536));
const poll = pin(stableBytes(8));
new DataView(poll.buffer).setInt32(0, socket.fd, true);
new DataView(poll.buffer).setUint32(4, POLLIN, true);
let receivedBytes = 0;

console.log(socket.port);
process.stdin.on('data', () => console.log(receivedBytes));
process.stdin.on('end', () => process.exit(0));
for (;;) {
  libc().poll(poll, 1, 20);
  for (;;) {
    const length = libc().recv(socket.fd, buffer, buffer.length, MSG_DONTWAIT);
    if (length < 0) break;
    receivedBytes += length;
  }
  await new Promise((resolve) => setImmediate(resolve));
}
