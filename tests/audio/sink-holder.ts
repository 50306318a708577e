/** A host in miniature: makes the virtual sink and holds it until it is killed. */
import { VirtualSink } from '../../src/audio/virtual-sink.ts';
import { RestoreJournal } from '../../src/platform/journal.ts';

const [, , runtimeDir = '', nodeName = '', journalPath = ''] = process.argv;
VirtualSink.open({
  runtimeDir,
  nodeName,
  channels: 2,
  journal: new RestoreJournal(journalPath),
  onLost: () => {},
  onBack: () => {},
});
console.log('holding');
