import { describe, expect, test } from 'bun:test';
import { inflateSync } from 'node:zlib';
import { BOX_ART_HEIGHT, BOX_ART_WIDTH, drawBoxArt } from '../../src/gamestream/box-art.ts';
import { renderServerInfo } from '../../src/gamestream/serverinfo.ts';
import { escapeXml, xmlDocument } from '../../src/gamestream/xml.ts';
import { hostInUrl, macOfAddress, normaliseAddress } from '../../src/net/interfaces.ts';
import { seededRandom } from '../support/random.ts';

const xmllint = Bun.which('xmllint');
const python = Bun.which('python3');

describe('XML', () => {
  test('text and attributes are escaped', () => {
    expect(escapeXml(`<a href="x">'&'</a>\r\n`)).toBe(
      '&lt;a href=&quot;x&quot;&gt;&apos;&amp;&apos;&lt;/a&gt;&#13;&#10;',
    );
    expect(xmlDocument({ code: 400, message: 'a "b"' }, [['x', [['y', true]]]])).toBe(
      '<?xml version="1.0" encoding="utf-8"?>\n' +
        '<root status_code="400" status_message="a &quot;b&quot;"><x><y>1</y></x></root>',
    );
  });

  test('characters XML cannot carry become replacement characters, pairs stay', () => {
    expect(escapeXml('a\u0000b\u001fc\ufffed\ud800e🎮')).toBe('a\ufffdb\ufffdc\ufffdd\ufffde🎮');
  });

  test.skipIf(!python && !xmllint)(
    'a document with every 97th character is read by another parser (needs python3 or xmllint)',
    () => {
      let text = '';
      for (let point = 0; point <= 0x10_ffff; point += 97) text += String.fromCodePoint(point);
      const document = xmlDocument({ code: 200, message: text }, [['AppTitle', text]]);
      const command = python
        ? [
            'python3',
            '-c',
            'import sys,xml.dom.minidom as m;m.parseString(sys.stdin.buffer.read())',
          ]
        : ['xmllint', '--noout', '-'];
      const result = Bun.spawnSync(command, { stdin: Buffer.from(document) });
      expect(result.stderr.toString()).toBe('');
      expect(result.exitCode).toBe(0);
    },
  );
});

describe('serverinfo', () => {
  const host = {
    hostname: 'den',
    uniqueId: 'id',
    httpPort: 57_989,
    httpsPort: 57_984,
    codecModeSupport: 65_793,
    maxLumaPixelsHevc: 0,
  };

  test('has every element devices look up, in one flat document', () => {
    const text = renderServerInfo({
      host: { ...host, externalAddress: '203.0.113.1', gpuName: 'none' },
      runningAppId: 0,
      isPaired: false,
      localAddress: '192.0.2.5',
      mac: '02:00:00:00:00:01',
    });

    expect(text).toBe(
      '<?xml version="1.0" encoding="utf-8"?>\n<root status_code="200"><hostname>den</hostname>' +
        '<appversion>7.1.431.-1</appversion><GfeVersion>3.23.0.74</GfeVersion>' +
        '<uniqueid>id</uniqueid><HttpsPort>57984</HttpsPort><ExternalPort>57989</ExternalPort>' +
        '<MaxLumaPixelsHEVC>0</MaxLumaPixelsHEVC><mac>00:00:00:00:00:00</mac>' +
        '<LocalIP>192.0.2.5</LocalIP><ServerCodecModeSupport>65793</ServerCodecModeSupport>' +
        '<PairStatus>0</PairStatus><currentgame>0</currentgame><state>SUNSHINE_SERVER_FREE</state>' +
        '<ExternalIP>203.0.113.1</ExternalIP><gputype>none</gputype></root>',
    );
  });

  test('over IPv6 names 127.0.0.1, which devices ignore', () => {
    const view = { host, runningAppId: 1, isPaired: true, localAddress: 'fd00::2', mac: null };
    const text = renderServerInfo(view);
    expect(text).toContain('<LocalIP>127.0.0.1</LocalIP>');
    expect(text).toContain('<mac>00:00:00:00:00:00</mac>');
  });
});

describe('drawn box art', () => {
  /** Pixels of an indexed PNG without interlace and with filter type 0. */
  function pixels(png: Uint8Array): { width: number; height: number; at: Uint8Array[] } {
    const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
    const [width, height] = [view.getUint32(16), view.getUint32(20)];
    const parts: Uint8Array[] = [];
    for (let offset = 8; offset < png.length; ) {
      const size = view.getUint32(offset);
      const type = Buffer.from(png.subarray(offset + 4, offset + 8)).toString('latin1');
      if (type === 'IDAT') parts.push(png.subarray(offset + 8, offset + 8 + size));
      offset += size + 12;
    }
    const rows = inflateSync(Buffer.concat(parts));
    const at = Array.from({ length: height }, (_, y) =>
      rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)),
    );
    return { width, height, at };
  }
  const inkCount = (title: string) =>
    pixels(drawBoxArt(title)).at.reduce((sum, row) => sum + row.filter((p) => p === 32).length, 0);

  test('is 600 x 800, small, and the same for the same title', () => {
    const png = drawBoxArt('Desktop');
    const { width, height, at } = pixels(png);

    expect([width, height, at.length]).toEqual([BOX_ART_WIDTH, BOX_ART_HEIGHT, 800]);
    expect(png.length).toBeLessThan(8192);
    expect(Buffer.from(png).equals(drawBoxArt('Desktop'))).toBe(true);
    expect(Buffer.from(png).equals(drawBoxArt('Steam'))).toBe(false);
  });

  test('shows one or two initials inside the picture, or none', () => {
    expect(inkCount('Desktop')).toBe(18 * 60 * 60);
    expect(inkCount('étoile')).toBe(18 * 60 * 60);
    expect(inkCount('Half-Life')).toBe((17 + 11) * 40 * 40);
    expect(inkCount('漢字')).toBe(0);
    expect(inkCount('')).toBe(0);
  });

  test.skipIf(!python)('is read by another PNG reader (needs python3)', () => {
    const ffmpeg = Bun.which('ffmpeg');
    const check =
      'import sys,zlib,struct\nd=sys.stdin.buffer.read()\no=8\n' +
      'while o<len(d):\n n,=struct.unpack(">I",d[o:o+4]);c,=struct.unpack(">I",d[o+8+n:o+12+n])\n' +
      ' assert zlib.crc32(d[o+4:o+8+n])==c\n o+=12+n\nassert o==len(d)';
    const command = ffmpeg
      ? ['ffmpeg', '-v', 'error', '-f', 'png_pipe', '-i', '-', '-f', 'null', '-']
      : ['python3', '-c', check];
    const result = Bun.spawnSync(command, { stdin: drawBoxArt('Test') });
    expect(result.stderr.toString()).toBe('');
    expect(result.exitCode).toBe(0);
  });

  test('200 random titles are drawn', () => {
    const random = seededRandom('drawBoxArt');
    for (let round = 0; round < 200; round += 1) {
      const title = new TextDecoder('latin1').decode(random.bytes(random.int(0, 12)));
      expect(drawBoxArt(title).length).toBeGreaterThan(100);
    }
  });
});

describe('addresses', () => {
  test.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['FD00::2', 'fd00::2'],
    ['192.0.2.1', '192.0.2.1'],
    ['', ''],
  ])('%j is %j', (address, expected) => expect(normaliseAddress(address)).toBe(expected));

  test('IPv6 stands in brackets in a URL', () => {
    expect(hostInUrl('fe80::1%eth0')).toBe('[fe80::1]');
    expect(hostInUrl('::ffff:10.0.0.1')).toBe('10.0.0.1');
  });

  test('the MAC is that of the interface with the address, never of loopback', () => {
    const entry = { family: 'IPv4' as const, prefixLength: 24 };
    const addresses = [
      { ...entry, interfaceName: 'lo', address: '127.0.0.1', mac: 'aa:aa', isInternal: true },
      { ...entry, interfaceName: 'eth0', address: '192.0.2.2', mac: '02:01', isInternal: false },
      {
        ...entry,
        interfaceName: 'tun0',
        address: '10.0.0.1',
        mac: '00:00:00:00:00:00',
        isInternal: false,
      },
    ];
    expect(macOfAddress('::ffff:192.0.2.2', addresses)).toBe('02:01');
    expect(macOfAddress('127.0.0.1', addresses)).toBeNull();
    expect(macOfAddress('10.0.0.1', addresses)).toBeNull();
    expect(macOfAddress('192.0.2.3', addresses)).toBeNull();
  });
});
