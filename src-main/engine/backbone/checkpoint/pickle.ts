import { damaged } from './tensor.ts';

/** A name a pickle refers to. It is never looked up: only the reader's `reduce` may give it a meaning. */
export class PickleGlobal {
  readonly path: string;

  constructor(module: string, name: string) {
    this.path = `${module}.${name}`;
  }
}

/** An object of a class that means nothing here: kept with its state, so that weights inside it can be found. */
export class PickleObject {
  readonly path: string;
  state: unknown = null;

  constructor(path: string) {
    this.path = path;
  }
}

/** What a pickle may do outside itself: nothing but what these two say. */
export interface PickleHooks {
  /** Called for every global before anything else: throws to refuse it. */
  admit(path: string): void;
  /** The value of calling a global with arguments. */
  reduce(path: string, args: readonly unknown[]): unknown;
  /** The value a persistent id stands for (a tensor's storage). */
  persistent(id: unknown): unknown;
}

const MARK = Symbol('mark');

/**
 * Reads pickles as data: dicts become Maps, tuples and lists arrays, and nothing is ever imported or called. Protocols
 * 0 to 5, without the extension registry and out-of-band buffers.
 *
 * @see Python's pickletools.py, which documents every opcode
 */
export class PickleReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly hooks: PickleHooks;
  private stack: unknown[] = [];
  private memo = new Map<number, unknown>();
  /** Where the next pickle of the same file begins. */
  offset: number;

  constructor(bytes: Uint8Array, hooks: PickleHooks, offset = 0) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.hooks = hooks;
    this.offset = offset;
  }

  /** Reads one pickle. @throws AppError BackboneUnreadable. */
  load(): unknown {
    this.stack = [];
    this.memo = new Map();
    try {
      for (;;) {
        const opcode = this.byte();
        if (opcode === 0x2e) return this.pop();
        this.step(opcode);
      }
    } catch (error) {
      if (error instanceof RangeError) throw damaged('This checkpoint is cut short.');
      throw error;
    }
  }

  private step(opcode: number): void {
    const known = this.constant(opcode) || this.container(opcode) || this.memory(opcode) || this.object(opcode);
    if (!known) {
      throw damaged(
        'This file is not a PyTorch checkpoint Hyaline can read.',
        'Save its state dict with torch.save, or as safetensors.',
        `pickle opcode 0x${opcode.toString(16)}`,
      );
    }
  }

  /** Opcodes that push a plain value. */
  private constant(opcode: number): boolean {
    const value = this.plainValue(opcode);
    if (value === undefined) return false;
    this.stack.push(value);
    return true;
  }

  private plainValue(opcode: number): unknown {
    switch (opcode) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.view.getInt32(this.take(4), true);
      case 0x4b: // BININT1
        return this.byte();
      case 0x4d: // BININT2
        return this.view.getUint16(this.take(2), true);
      case 0x49: // INT
        return this.decimal(this.line());
      case 0x4c: // LONG
        return Number(this.line().replace(/L$/, ''));
      case 0x8a: // LONG1
        return this.long(this.byte());
      case 0x8b: // LONG4
        return this.long(this.view.getInt32(this.take(4), true));
      case 0x46: // FLOAT
        return Number(this.line());
      case 0x47: // BINFLOAT
        return this.view.getFloat64(this.take(8), false);
      case 0x53: // STRING
        return this.line().slice(1, -1);
      case 0x56: // UNICODE
        return this.line();
      case 0x55: // SHORT_BINSTRING
        return this.text(this.byte(), 'latin1');
      case 0x54: // BINSTRING
        return this.text(this.view.getInt32(this.take(4), true), 'latin1');
      case 0x8c: // SHORT_BINUNICODE
        return this.text(this.byte(), 'utf8');
      case 0x58: // BINUNICODE
        return this.text(this.view.getUint32(this.take(4), true), 'utf8');
      case 0x8d: // BINUNICODE8
        return this.text(this.long64(), 'utf8');
      case 0x43: // SHORT_BINBYTES
        return this.slice(this.byte());
      case 0x42: // BINBYTES
        return this.slice(this.view.getUint32(this.take(4), true));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.slice(this.long64());
      default:
        return undefined;
    }
  }

  /** Opcodes that make or fill tuples, lists, dicts and sets. */
  private container(opcode: number): boolean {
    const { stack } = this;
    switch (opcode) {
      case 0x28: // MARK
        stack.push(MARK);
        return true;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
      case 0x8f: // EMPTY_SET
        stack.push([]);
        return true;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        return true;
      case 0x6c: // LIST
      case 0x74: // TUPLE
      case 0x91: // FROZENSET
        stack.push(this.toMark());
        return true;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        stack.push(this.popMany(opcode - 0x84));
        return true;
      case 0x64: // DICT
        stack.push(fillMap(new Map(), this.toMark()));
        return true;
      case 0x61: // APPEND
        this.append([this.pop()]);
        return true;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.append(this.toMark());
        return true;
      case 0x73: // SETITEM
        this.setItems(this.popMany(2));
        return true;
      case 0x75: // SETITEMS
        this.setItems(this.toMark());
        return true;
      default:
        return false;
    }
  }

  /** Opcodes of the stack and the memo. */
  private memory(opcode: number): boolean {
    const { stack, memo } = this;
    switch (opcode) {
      case 0x80: // PROTO
        this.byte();
        return true;
      case 0x95: // FRAME
        this.take(8);
        return true;
      case 0x30: // POP
        stack.pop();
        return true;
      case 0x31: // POP_MARK
        this.toMark();
        return true;
      case 0x32: // DUP
        stack.push(stack.at(-1));
        return true;
      case 0x70: // PUT
        memo.set(Number(this.line()), stack.at(-1));
        return true;
      case 0x71: // BINPUT
        memo.set(this.byte(), stack.at(-1));
        return true;
      case 0x72: // LONG_BINPUT
        memo.set(this.view.getUint32(this.take(4), true), stack.at(-1));
        return true;
      case 0x94: // MEMOIZE
        memo.set(memo.size, stack.at(-1));
        return true;
      case 0x67: // GET
        stack.push(memo.get(Number(this.line())));
        return true;
      case 0x68: // BINGET
        stack.push(memo.get(this.byte()));
        return true;
      case 0x6a: // LONG_BINGET
        stack.push(memo.get(this.view.getUint32(this.take(4), true)));
        return true;
      default:
        return false;
    }
  }

  /** Opcodes that name classes and make objects: names are checked, objects stay data. */
  private object(opcode: number): boolean {
    const { stack } = this;
    switch (opcode) {
      case 0x63: // GLOBAL
        stack.push(this.global(this.line(), this.line()));
        return true;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.popMany(2);
        stack.push(this.global(String(module), String(name)));
        return true;
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.reduce(this.popMany(2));
        return true;
      case 0x92: // NEWOBJ_EX
        this.reduce(this.popMany(3));
        return true;
      case 0x62: {
        // BUILD
        const state = this.pop();
        const target = stack.at(-1);
        if (target instanceof PickleObject) target.state = state;
        return true;
      }
      case 0x50: // PERSID
        stack.push(this.hooks.persistent(this.line()));
        return true;
      case 0x51: // BINPERSID
        stack.push(this.hooks.persistent(this.pop()));
        return true;
      default:
        return false;
    }
  }

  private global(module: string, name: string): PickleGlobal {
    const global = new PickleGlobal(module, name);
    this.hooks.admit(global.path);
    return global;
  }

  private reduce([callable, args]: readonly unknown[]): void {
    const path = callable instanceof PickleGlobal ? callable.path : 'an object that is no class';
    if (!(callable instanceof PickleGlobal)) this.hooks.admit(path);
    this.stack.push(this.hooks.reduce(path, Array.isArray(args) ? args : []));
  }

  private append(items: readonly unknown[]): void {
    const target = this.stack.at(-1);
    if (Array.isArray(target)) target.push(...items);
  }

  private setItems(items: readonly unknown[]): void {
    const target = this.stack.at(-1);
    if (target instanceof Map) fillMap(target, items);
  }

  private pop(): unknown {
    if (this.stack.length === 0) throw new RangeError('empty stack');
    return this.stack.pop();
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw new RangeError('empty stack');
    return this.stack.splice(this.stack.length - count);
  }

  private toMark(): unknown[] {
    const at = this.stack.lastIndexOf(MARK);
    if (at < 0) throw new RangeError('no mark');
    const items = this.stack.splice(at);
    return items.slice(1);
  }

  private take(count: number): number {
    const at = this.offset;
    if (count < 0 || at + count > this.bytes.byteLength) throw new RangeError('end of file');
    this.offset += count;
    return at;
  }

  private byte(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  private slice(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  private text(count: number, encoding: 'utf8' | 'latin1'): string {
    return Buffer.from(this.slice(count)).toString(encoding);
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.offset);
    if (end < 0) throw new RangeError('end of file');
    const text = this.text(end - this.offset, 'utf8');
    this.offset = end + 1;
    return text;
  }

  /** INT also spells booleans, as `00` and `01`. */
  private decimal(text: string): number | boolean {
    return text === '00' || text === '01' ? text === '01' : Number(text);
  }

  private long64(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  /** Two's complement, little-endian. Beyond 2^53 digits are lost: only magic numbers are that large. */
  private long(count: number): number {
    const bytes = this.slice(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    if (count > 0 && (bytes[count - 1] ?? 0) >= 0x80) value -= 1n << BigInt(8 * count);
    return Number(value);
  }
}

function fillMap(map: Map<unknown, unknown>, items: readonly unknown[]): Map<unknown, unknown> {
  for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i], items[i + 1]);
  return map;
}
