/**
 * Another host on the link, made of plain sockets and dns-packet: asks as a full resolver from port
 * 5353 and as a plain DNS client from any port. Prints each answer as one line of JSON.
 */
import { createSocket, type Socket } from 'node:dgram';
import { decode, encode } from 'dns-packet';

const [address = '', ...asks] = process.argv.slice(2);
const GROUP = '224.0.0.251';

function open(port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const { promise, resolve } = Promise.withResolvers<Socket>();
  socket.bind(port, '0.0.0.0', () => {
    socket.setMulticastInterface(address);
    if (port === 5353) socket.addMembership(GROUP, address);
    resolve(socket);
  });
  return promise;
}

for (const ask of asks) {
  const [kind = '', type = '', name = '', ...known] = ask.split(',');
  const socket = await open(kind === 'legacy' ? 0 : 5353);
  const answers = known.map((target) => ({ name, type, class: 'IN', ttl: 4500, data: target }));
  const { promise, resolve } = Promise.withResolvers<object | null>();
  socket.on('message', (bytes, origin) => {
    const packet = decode(bytes);
    if (packet['type'] !== 'response') return;
    resolve({ from: origin.address, port: origin.port, flags: packet['flags'], ...packet });
  });
  const query = encode({
    type: 'query',
    id: 77,
    questions: [{ type, name, class: 'IN' }],
    answers,
  });
  socket.send(query, 5353, GROUP);
  setTimeout(() => resolve(null), 700);
  console.log(`answer ${ask} ${JSON.stringify(await promise)}`);
  socket.close();
}
process.exit(0);
