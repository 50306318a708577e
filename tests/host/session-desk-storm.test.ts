import { expect, test } from 'bun:test';
import { type SeededRandom, seededRandom } from '../support/random.ts';
import { BED, DeskRig, GAME, SOFA, until } from './desk-rig.ts';

const EPISODES = 60;
const STEPS = 14;

/** One thing that a device, the owner or the machine may do at any time. */
function disturb(rig: DeskRig, random: SeededRandom): Promise<unknown> {
  const device = random.int(0, 1) === 0 ? SOFA : BED;
  switch (random.int(0, 9)) {
    case 0:
    case 1:
      return rig.launch(device, random.int(0, 1) === 0 ? 1 : 7);
    case 2:
    case 3:
      return rig.resume(device, random.int(0, 1) === 0 ? 1280 : 1920);
    case 4:
      return rig.announce(device);
    case 5:
      return rig.desk.quit('storm');
    case 6:
      return rig.desk.endSession('drop', 'storm');
    case 7:
      return rig.desk.revoke(device);
    case 8:
      rig.screens.lose('storm');
      return Promise.resolve();
    default:
      rig.liveStreams[0]?.ports.onFailed('storm');
      return Promise.resolve();
  }
}

test(`${EPISODES} storms of launches, ends and losses leave no stream, screen, app or journal entry`, async () => {
  const random = seededRandom('session desk storm');
  for (let episode = 0; episode < EPISODES; episode += 1) {
    const rig = new DeskRig({ appStartMs: 2, startMs: 200 }, {}, 1);
    const nap = (): Promise<void> => Bun.sleep(random.int(0, 3));
    rig.apps = [
      { ...GAME, id: 1, title: 'Desktop' },
      {
        ...GAME,
        command: `sleep 0.0${random.int(1, 9)}; exit 1`,
        prep: [{ do: 'true', undo: 'true', onFail: 'abort' }],
        exitTimeoutS: 0,
      },
    ];
    rig.screens.onAcquire = async () => {
      await nap();
      if (random.int(0, 9) === 0) throw new Error('no screen');
    };
    rig.screens.onRelease = nap;
    rig.onStreamStart = async () => {
      await nap();
      if (random.int(0, 9) === 0) throw new Error('no worker');
    };
    const work: Promise<unknown>[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      work.push(disturb(rig, random));
      if (random.int(0, 2) === 0) await nap();
    }

    await Promise.all(work);
    await rig.desk.quit('the end');
    await until(() => rig.screens.open.size === 0);

    expect(rig.desk.runningAppId()).toBe(0);
    expect(rig.desk.session).toBeNull();
    expect(rig.liveStreams).toEqual([]);
    expect(rig.journal.pending()).toEqual([]);
    await rig.close();
  }
}, 30_000);
