export const RESEARCH_USE_NOTICE = 'For research use only. Not for use in diagnostic procedures.';

/** What the platform's About panel shows. */
export function aboutPanel(version: string, iconPath: string): Electron.AboutPanelOptionsOptions {
  return {
    applicationName: 'Hyaline',
    applicationVersion: version,
    copyright: 'MIT licence. The licences of its parts lie in the folder “licences” of the installation.',
    credits: RESEARCH_USE_NOTICE,
    iconPath,
  };
}
