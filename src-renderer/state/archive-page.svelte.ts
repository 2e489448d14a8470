/** Which page of the archive is open; kept while the user is elsewhere. */
class ArchivePage {
  tab = $state<'new' | 'queue' | 'store'>('new');
}

export const archivePage = new ArchivePage();
