/** Announces `argv[2]` as host `argv[3]` until it is terminated; prints what happens, one event per line. */
import { MdnsAnnouncement } from '../../src/net/mdns.ts';

const announcement = await MdnsAnnouncement.open({
  hostLabel: process.argv[3] ?? '',
  services: [
    { instance: process.argv[2] ?? 'den', type: '_nvstream._tcp', port: 47989, txt: [] },
    { instance: process.argv[2] ?? 'den', type: '_example._udp', port: 9, txt: ['a=1', 'b=2'] },
  ],
  onWarning: (sentence) => console.log(`warning ${sentence}`),
  onNames: (labels) => console.log(`names ${labels.join(' ')}`),
});
console.log(`open ${announcement.isOpen}`);
process.on('SIGTERM', async () => {
  await announcement.close();
  console.log('closed');
  process.exit(0);
});
setTimeout(() => process.exit(1), 60_000);
