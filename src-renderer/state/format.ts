/** 1.2 GB, 340 MB, 12 KB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes * 1.0005, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? 'B'}`;
}

/** 12,345 as people read it here: groups of three, a thin space between. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** 11.2 M, 340 K. */
export function formatLarge(count: number): string {
  if (count >= 999_500_000) return `${(count / 1e9).toFixed(1)} G`;
  if (count >= 999_500) return `${(count / 1e6).toFixed(1)} M`;
  if (count >= 1000) return `${Math.round(count / 1000)} K`;
  return String(count);
}

/** 2 h 05 min, 3 min 20 s, 12 s. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  if (minutes > 0) return `${minutes} min ${String(rest).padStart(2, '0')} s`;
  return `${rest} s`;
}

/** Today and yesterday by name, else the date. */
export function formatWhen(ms: number, nowMs: number): string {
  const then = new Date(ms);
  const time = then.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  const days = Math.round((startOfDay(nowMs) - startOfDay(ms)) / 86_400_000);
  if (days === 0) return `Today, ${time}`;
  if (days === 1) return `Yesterday, ${time}`;
  return then.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}

function startOfDay(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** A number to read: at most `digits` significant digits, no trailing zeros. */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–';
  return String(Number(value.toPrecision(digits)));
}

/** A sentence in which no number is parted from its unit at the end of a line. */
export function keepUnits(text: string): string {
  return text.replace(/(\d) (?=[%×]|(?:µm|mm|px|GB|MB|KB)\b)/g, '$1\u00a0');
}
