import { describe, expect, test } from 'bun:test';
import { decodeLaunch, parseLaunchMode } from '../../src/gamestream/nvhttp-launch.ts';
import { parseQuery } from '../../src/gamestream/nvhttp-query.ts';
import { seededRandom } from '../support/random.ts';

const KEY = '00112233445566778899aabbccddeeff';
/** As Moonlight Qt asks with everything on. */
const FULL =
  'uniqueid=0123456789ABCDEF&uuid=1&appid=881448767&mode=1920x1080x60&additionalStates=1&sops=1' +
  `&rikey=${KEY}&rikeyid=-1625295126&hdrMode=1&clientHdrCapVersion=0` +
  '&clientHdrCapSupportedFlagsInUint32=0&clientHdrCapMetaDataId=NV_STATIC_METADATA_TYPE_1' +
  '&clientHdrCapDisplayData=0x0x0x0x0x0x0x0x0x0x0&localAudioPlayMode=1&surroundAudioInfo=4128774' +
  '&remoteControllersBitmap=1&gcmap=3&gcpersist=1&corever=1&continuousAudio=1' +
  '&surroundParams=642012453&virtualDisplay=1&scaleFactor=150&appuuid=0AF1-22';
const NEEDED = `appid=1&rikey=${KEY}&rikeyid=5&localAudioPlayMode=0`;

const decode = (text: string, kind: 'launch' | 'resume' = 'launch') => {
  const parsed = parseQuery(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return decodeLaunch(kind, parsed.query);
};
const reasonOf = (text: string, kind: 'launch' | 'resume' = 'launch') => {
  const result = decode(text, kind);
  return result.ok ? null : result.reason;
};

describe('a launch request', () => {
  test('with everything in it is decoded', () => {
    expect(decode(FULL)).toEqual({
      ok: true,
      request: {
        appId: 881_448_767,
        mode: { width: 1920, height: 1080, refreshNum: 60, refreshDen: 1 },
        key: new Uint8Array(Buffer.from(KEY, 'hex')),
        keyId: 0x1_0000_0000 - 1_625_295_126,
        playOnHost: true,
        changeDisplayMode: true,
        audioChannels: 6,
        audioChannelMask: 0x3f,
        surroundParams: '642012453',
        padMask: 3,
        keepPads: true,
        hdr: true,
        speaksSealedRtsp: true,
        continuousAudio: true,
        wantsVirtualDisplay: true,
        scalePct: 150,
        appUuid: '0AF1-22',
      },
    });
  });

  test('with only what is needed has everything else off', () => {
    expect(decode(NEEDED)).toMatchObject({
      ok: true,
      request: {
        mode: null,
        keyId: 5,
        playOnHost: false,
        audioChannels: null,
        padMask: 0,
        hdr: false,
        speaksSealedRtsp: false,
        scalePct: null,
        surroundParams: null,
      },
    });
  });

  test.each([
    ['appid', ''],
    ['appid', '-1'],
    ['appid', '2147483648'],
    ['rikey', ''],
    ['rikey', KEY.slice(2)],
    ['rikey', `${KEY}00`],
    ['rikey', `zz${KEY.slice(2)}`],
    ['rikeyid', ''],
    ['rikeyid', '-2147483649'],
    ['rikeyid', '4294967296'],
    ['rikeyid', '0x10'],
    ['localAudioPlayMode', ''],
    ['localAudioPlayMode', '2'],
    ['mode', ''],
    ['mode', '1920x1080'],
    ['surroundParams', '64201245x'],
    ['appuuid', '../etc'],
  ])('is refused with %s=%s', (parameter, value) => {
    const text = FULL.replace(new RegExp(`(^|&)${parameter}=[^&]*`), `$1${parameter}=${value}`);
    expect(reasonOf(text)).toBe(`${parameter} is missing or malformed`);
  });

  test.each(['appid', 'rikey', 'rikeyid', 'localAudioPlayMode'])(
    'is refused without %s',
    (name) => {
      const text = NEEDED.replace(new RegExp(`${name}=[^&]*&?`), '');
      expect(reasonOf(text)).toBe(`${name} is missing or malformed`);
    },
  );

  test.each([
    ['-2147483648', 0x8000_0000],
    ['-1', 0xffff_ffff],
    ['0', 0],
    ['2147483647', 0x7fff_ffff],
    ['4294967295', 0xffff_ffff],
  ])('key id %s is %d as unsigned', (text, expected) => {
    expect(decode(NEEDED.replace('rikeyid=5', `rikeyid=${text}`))).toMatchObject({
      request: { keyId: expected },
    });
  });

  test.each([
    [196_610, 2, 0x3],
    [4_128_774, 6, 0x3f],
    [104_792_072, 8, 0x63f],
    [196_611, null, 0],
  ])('surroundAudioInfo %d is %p channels, mask %d', (info, channels, mask) => {
    expect(decode(`${NEEDED}&surroundAudioInfo=${info}`)).toMatchObject({
      request: { audioChannels: channels, audioChannelMask: mask },
    });
  });

  test('resume may leave the app out, but not name a bad one', () => {
    const bare = NEEDED.replace('appid=1&', '');
    expect(decode(bare, 'resume')).toMatchObject({ ok: true, request: { appId: 0 } });
    expect(reasonOf(`${bare}&appid=x`, 'resume')).toBe('appid is missing or malformed');
  });

  test('pads come from gcmap, else from remoteControllersBitmap, 16 at most', () => {
    const mask = (text: string) => {
      const result = decode(`${NEEDED}&${text}`);
      return result.ok ? result.request.padMask : -1;
    };
    expect(mask('remoteControllersBitmap=5')).toBe(5);
    expect(mask('gcmap=2&remoteControllersBitmap=5')).toBe(2);
    expect(mask('gcmap=4294967295')).toBe(0xffff);
  });

  test('100000 random requests are decoded within range or refused by name', () => {
    const random = seededRandom('decodeLaunch');
    const names = FULL.split('&').map((pair) => pair.split('=')[0] ?? '');
    const values = ['', '0', '1', '-1', '60', KEY, '1x1x1', '1280x720x59.94', '9'.repeat(12), 'é'];
    for (let round = 0; round < 100_000; round += 1) {
      const query = new Map<string, string>();
      for (const pair of (random.int(0, 1) === 0 ? NEEDED : FULL).split('&')) {
        const [name = '', value = ''] = pair.split('=');
        if (random.int(0, 15) !== 0) query.set(name, value);
      }
      for (let edits = round === 0 ? 0 : random.int(0, 4); edits > 0; edits -= 1) {
        const name = names[random.int(0, names.length - 1)] ?? '';
        query.set(name, values[random.int(0, values.length - 1)] ?? '');
      }
      const result = decodeLaunch(random.int(0, 1) === 0 ? 'launch' : 'resume', query);
      if (!result.ok) {
        expect(result.reason).toMatch(/^[A-Za-z]+ is missing or malformed$/);
        continue;
      }
      const { request } = result;
      expect(request.key).toHaveLength(16);
      expect(request.keyId >>> 0).toBe(request.keyId);
      expect(request.appId >= 0 && request.appId <= 0x7fff_ffff).toBe(true);
      expect(request.padMask >= 0 && request.padMask <= 0xffff).toBe(true);
      expect(request.mode === null || request.mode.width >= 16).toBe(true);
    }
  });
});

describe('the mode of a launch', () => {
  const mode = (text: string) => {
    const parsed = parseLaunchMode(text);
    return parsed && [parsed.width, parsed.height, parsed.refreshNum, parsed.refreshDen];
  };

  test.each([
    ['1920x1080x60', [1920, 1080, 60, 1]],
    ['1920x1080x59.94', [1920, 1080, 59_940, 1000]],
    ['1920x1080x59940', [1920, 1080, 59_940, 1000]],
    ['1920x1080x120000', [1920, 1080, 120, 1]],
    ['2560x1600x119.88', [2560, 1600, 119_880, 1000]],
    ['1280x720x60.000', [1280, 720, 60, 1]],
    ['1280x720x29.9704', [1280, 720, 29_970, 1000]],
    ['1280x720x0', [1280, 720, 60, 1]],
    ['16x16384x1', [16, 16_384, 1, 1]],
  ])('%s is %j', (text, expected) => expect(mode(text)).toEqual(expected));

  test.each([
    '',
    'x',
    '1920x1080',
    '1920x1080x',
    '1920x1080x60x1',
    '1920X1080X60',
    '15x16x60',
    '16x16385x60',
    '99999x1080x60',
    '1920x1080x-60',
    '1920x1080x0.5',
    '1920x1080x1000000',
    '1920x1080x59940.5',
    '1920x1080x1e2',
    ' 1920x1080x60',
  ])('%j is none', (text) => expect(mode(text)).toBeNull());
});
