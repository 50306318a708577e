/**
 * The keymap of the virtual keyboard: US layout on Linux evdev codes, written by this host so that
 * it depends on no keyboard data files. Keypad keys always give digits: devices send the keypad's
 * navigation keys as keys of their own. XKB text format: libxkbcommon, "Keymap text format".
 */

/** Evdev code, then its symbols per level: `2:1,exclam`. Codes from linux/input-event-codes.h. */
const US_KEYS = `
1:Escape 2:1,exclam 3:2,at 4:3,numbersign 5:4,dollar 6:5,percent 7:6,asciicircum 8:7,ampersand
9:8,asterisk 10:9,parenleft 11:0,parenright 12:minus,underscore 13:equal,plus 14:BackSpace
15:Tab,ISO_Left_Tab 16:q,Q 17:w,W 18:e,E 19:r,R 20:t,T 21:y,Y 22:u,U 23:i,I 24:o,O 25:p,P
26:bracketleft,braceleft 27:bracketright,braceright 28:Return 29:Control_L 30:a,A 31:s,S 32:d,D
33:f,F 34:g,G 35:h,H 36:j,J 37:k,K 38:l,L 39:semicolon,colon 40:apostrophe,quotedbl
41:grave,asciitilde 42:Shift_L 43:backslash,bar 44:z,Z 45:x,X 46:c,C 47:v,V 48:b,B 49:n,N 50:m,M
51:comma,less 52:period,greater 53:slash,question 54:Shift_R 55:KP_Multiply 56:Alt_L 57:space
58:Caps_Lock 59:F1 60:F2 61:F3 62:F4 63:F5 64:F6 65:F7 66:F8 67:F9 68:F10 69:Num_Lock
70:Scroll_Lock 71:KP_7 72:KP_8 73:KP_9 74:KP_Subtract 75:KP_4 76:KP_5 77:KP_6 78:KP_Add 79:KP_1
80:KP_2 81:KP_3 82:KP_0 83:KP_Decimal 85:Zenkaku_Hankaku 86:less,greater 87:F11 88:F12
89:backslash,underscore 90:Katakana 91:Hiragana 92:Henkan_Mode 93:Hiragana_Katakana 94:Muhenkan
95:KP_Separator 96:KP_Enter 97:Control_R 98:KP_Divide 99:Print 100:Alt_R 101:Linefeed 102:Home
103:Up 104:Prior 105:Left 106:Right 107:End 108:Down 109:Next 110:Insert 111:Delete
113:XF86AudioMute 114:XF86AudioLowerVolume 115:XF86AudioRaiseVolume 116:XF86PowerOff 117:KP_Equal
118:plusminus 119:Pause 120:XF86LaunchA 121:KP_Separator 122:Hangul 123:Hangul_Hanja 124:yen
125:Super_L 126:Super_R 127:Menu 128:Cancel 129:Redo 131:Undo 133:XF86Copy 134:XF86Open
135:XF86Paste 136:Find 137:XF86Cut 138:Help 139:XF86MenuKB 140:XF86Calculator 142:XF86Sleep
143:XF86WakeUp 144:XF86Explorer 145:XF86Send 148:XF86Launch1 149:XF86Launch2 150:XF86WWW
152:XF86ScreenSaver 155:XF86Mail 156:XF86Favorites 157:XF86MyComputer 158:XF86Back 159:XF86Forward
161:XF86Eject 163:XF86AudioNext 164:XF86AudioPlay 165:XF86AudioPrev 166:XF86AudioStop
167:XF86AudioRecord 168:XF86AudioRewind 169:XF86Phone 171:XF86Tools 172:XF86HomePage
173:XF86Reload 174:XF86Close 177:XF86ScrollUp 178:XF86ScrollDown 179:parenleft 180:parenright
181:XF86New 182:Redo 183:F13 184:F14 185:F15 186:F16 187:F17 188:F18 189:F19 190:F20 191:F21
192:F22 193:F23 194:F24 200:XF86AudioPlay 201:XF86AudioPause 202:XF86Launch3 203:XF86Launch4
205:XF86Suspend 206:XF86Close 208:XF86AudioForward 210:Print 212:XF86WebCam 215:XF86Mail
216:XF86Messenger 217:XF86Search 219:XF86Finance 220:XF86Game 221:XF86Shop 223:Cancel
224:XF86MonBrightnessDown 225:XF86MonBrightnessUp 226:XF86AudioMedia 227:XF86Display
228:XF86KbdLightOnOff 229:XF86KbdBrightnessDown 230:XF86KbdBrightnessUp 231:XF86Send
232:XF86Reply 233:XF86MailForward 234:XF86Save 235:XF86Documents 236:XF86Battery
237:XF86Bluetooth 238:XF86WLAN
`;

/** XKB keycodes are evdev codes plus this, and end at 255 for the sake of X11 programs. */
export const XKB_OFFSET = 8;
export const EVDEV_CODE_MAX = 255 - XKB_OFFSET;

/** Lowercase letters take part in Caps Lock; other pairs only in Shift. */
const LETTER_PAIR = /^[a-z],[A-Z]$/;

/** Name of the sections of our keymaps. */
export const KEYMAP_NAME = 'punktfunk';

/** The whole keymap as text. */
export function baseKeymapText(): string {
  const keys = US_KEYS.trim()
    .split(/\s+/)
    .map((entry) => {
      const [code = '', symbols = ''] = entry.split(':');
      return { code: Number(code), symbols };
    });
  const codes = keys.map(({ code }) => `${keyName(code)}=${code + XKB_OFFSET};`);
  const symbols = keys.map(
    ({ code, symbols: levels }) =>
      `key ${keyName(code)}{type="${typeOf(levels)}",[${levels.replace(',', ', ')}]};`,
  );
  return keymapText(codes, symbols, MODIFIER_MAP);
}

/** Frame of a keymap around its key codes and symbols. */
export function keymapText(
  codes: readonly string[],
  symbols: readonly string[],
  modifierMap: string,
): string {
  return `xkb_keymap {
xkb_keycodes "${KEYMAP_NAME}" { minimum=8; maximum=255;
${codes.join('\n')}
};
xkb_types "${KEYMAP_NAME}" {
virtual_modifiers NumLock,Alt,Super;
type "ONE_LEVEL" { modifiers=none; level_name[1]="Any"; };
type "TWO_LEVEL" { modifiers=Shift; map[Shift]=2; level_name[1]="Base"; level_name[2]="Shift"; };
type "ALPHABETIC" { modifiers=Shift+Lock; map[Shift]=2; map[Lock]=2;
level_name[1]="Base"; level_name[2]="Caps"; };
};
xkb_compatibility "${KEYMAP_NAME}" {
virtual_modifiers NumLock,Alt,Super;
interpret.useModMapMods=AnyLevel; interpret.repeat=False;
interpret Num_Lock+AnyOf(all) { virtualModifier=NumLock; action=LockMods(modifiers=NumLock); };
interpret Alt_L+AnyOf(all) { virtualModifier=Alt; action=SetMods(modifiers=modMapMods,clearLocks); };
interpret Alt_R+AnyOf(all) { virtualModifier=Alt; action=SetMods(modifiers=modMapMods,clearLocks); };
interpret Super_L+AnyOf(all) { virtualModifier=Super; action=SetMods(modifiers=modMapMods,clearLocks); };
interpret Super_R+AnyOf(all) { virtualModifier=Super; action=SetMods(modifiers=modMapMods,clearLocks); };
interpret Caps_Lock+AnyOf(all) { action=LockMods(modifiers=Lock); };
interpret Any+AnyOf(all) { action=SetMods(modifiers=modMapMods,clearLocks); };
};
xkb_symbols "${KEYMAP_NAME}" {
${symbols.join('\n')}
${modifierMap}
};
};
`;
}

/** Name of a key inside these keymaps. */
export function keyName(evdevCode: number): string {
  return `<K${String(evdevCode).padStart(3, '0')}>`;
}

const MODIFIER_MAP = `modifier_map Shift { <K042>, <K054> };
modifier_map Lock { <K058> };
modifier_map Control { <K029>, <K097> };
modifier_map Mod1 { <K056>, <K100> };
modifier_map Mod2 { <K069> };
modifier_map Mod4 { <K125>, <K126> };`;

function typeOf(symbols: string): string {
  if (!symbols.includes(',')) return 'ONE_LEVEL';
  return LETTER_PAIR.test(symbols) ? 'ALPHABETIC' : 'TWO_LEVEL';
}
