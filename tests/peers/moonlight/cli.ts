/**
 * The test device on the command line:
 *   bun tests/peers/moonlight/cli.ts --host 127.0.0.1 --port 47989 --state DIR \
 *     info | pair --pin 1234 | list | stream --seconds 10 --mode 1280x720@60 | quit
 * What happened is one line of JSON, the last line of the output; exit code 0 when it succeeded.
 */
import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { MoonlightDevice } from './client.ts';
import { discoverHosts } from './discover.ts';
import { openDeviceFolder } from './identity.ts';
import { statisticsOf } from './statistics.ts';
import { DEFAULT_STREAM, type StreamOptions } from './stream.ts';

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '47989' },
    state: { type: 'string' },
    pin: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    mode: { type: 'string', default: '1280x720@60' },
    bitrate: { type: 'string', default: String(DEFAULT_STREAM.bitrateKbps) },
    app: { type: 'string' },
    dump: { type: 'string' },
    'dump-pcm': { type: 'string' },
    'seal-video': { type: 'boolean', default: false },
    'seal-audio': { type: 'boolean', default: false },
    'plain-rtsp': { type: 'boolean', default: false },
    'legacy-control': { type: 'boolean', default: false },
    'legacy-ping': { type: 'boolean', default: false },
    'no-rfi': { type: 'boolean', default: false },
    'no-parity': { type: 'boolean', default: false },
    loss: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

async function discover(): Promise<unknown> {
  return discoverHosts({ interfaceAddress: values.host, timeoutMs: 3000 });
}

async function stream(device: MoonlightDevice): Promise<unknown> {
  const mode = /^(\d+)x(\d+)@(\d+)$/.exec(values.mode);
  if (!mode) throw new Error('--mode looks like 1280x720@60');
  const [width, height, fps] = mode.slice(1).map(Number) as [number, number, number];
  const dump = values.dump ? createWriteStream(values.dump) : null;
  const options: Partial<StreamOptions> = {
    width,
    height,
    fps,
    bitrateKbps: Number(values.bitrate),
    wantsSealedVideo: values['seal-video'],
    wantsSealedAudio: values['seal-audio'],
    isControlLegacy: values['legacy-control'],
    isPingLegacy: values['legacy-ping'],
    wantsInvalidation: !values['no-rfi'],
    videoLossPct: Number(values.loss),
    seed: Number(values.seed),
    videoSins: { ignoreParity: values['no-parity'] },
    onPicture: (accessUnit) => dump?.write(accessUnit),
  };
  const running = await device.stream({
    ...options,
    knowsSealedRtsp: !values['plain-rtsp'],
    ...(values.app ? { appId: Number(values.app) } : {}),
  });
  await Promise.race([Bun.sleep(Number(values.seconds) * 1000), running.ended]);
  const end = running.end;
  await running.stop();
  await new Promise<void>((resolve) => (dump ? dump.end(() => resolve()) : resolve()));
  const sound = await running.hearStereo();
  if (values['dump-pcm']) await Bun.write(values['dump-pcm'], new Uint8Array(sound.samples.buffer));
  return { ...statisticsOf(running), audioRms: sound.rms, endedEarly: end };
}

async function act(): Promise<unknown> {
  const verb = positionals[0];
  if (verb === 'discover') return discover();
  if (!values.state) throw new Error('--state names the folder of the device');
  const { identity, pins } = openDeviceFolder(values.state, `${values.host}-${values.port}`);
  const host = { address: values.host, httpPort: Number(values.port) };
  const device = new MoonlightDevice(host, identity, pins);
  switch (verb) {
    case 'info':
      return device.serverInfo();
    case 'pair': {
      const pin = values.pin ?? String(Math.floor(Math.random() * 10_000)).padStart(4, '0');
      if (!values.json) console.log(`type this PIN on the host: ${pin}`);
      const outcome = await device.pair({ pin });
      if (outcome.kind !== 'paired') throw new Error(JSON.stringify(outcome));
      return outcome;
    }
    case 'list':
      await device.serverInfo();
      return device.apps();
    case 'stream':
      return stream(device);
    case 'quit':
      await device.serverInfo();
      return { isFree: await device.quit() };
    default:
      throw new Error('say one of: discover info pair list stream quit');
  }
}

try {
  console.log(JSON.stringify({ ok: true, result: await act() }));
  process.exit(0);
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: String(error) }));
  process.exit(1);
}
