/** Compressed assets imported `with { type: 'file' }` are paths: into the tree, or the executable. */
declare module '*.zst' {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: the bundler's file imports are default imports.
  export default path;
}
