/** Where Hyaline may send the user's browser: the pages its own texts point to. */
const ALLOWED_HOSTS: ReadonlySet<string> = new Set([
  'github.com',
  'huggingface.co',
  'doi.org',
  'zenodo.org',
  'openslide.org',
  'onnxruntime.ai',
  'www.electronjs.org',
]);

/** The address to open, normalised; null for one that is not https, names a port or a user, or is not on the list. */
export function allowedExternalUrl(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:' || url.port !== '' || url.username !== '' || url.password !== '') {
    return null;
  }
  return ALLOWED_HOSTS.has(url.hostname) ? url.href : null;
}
