/**
 * Libraries of the apps in docs/app-snippets.md that are neither Debian packages nor npm packages, in exact versions.
 * `npm run apps` installs them into .cache/. Tests install nothing.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where the lists of libraries are. */
export const LISTS = import.meta.dirname

const CACHE = join(LISTS, '../../../.cache/apps')

/** The directory of the libraries that these files list. It changes with the files. */
function directoryOf(name: string, ...files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(LISTS, file)))
  return join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`)
}

/** A virtual environment of Python with Django. */
export const PYTHON = directoryOf('python', 'requirements.txt')
/** The jars of Spring Boot in `jars/`, and the compiled SpringApp.java. */
export const JAVA = directoryOf('java', 'pom.xml', 'SpringApp.java')

/** A set of libraries. */
export interface Library {
  readonly name: string
  readonly directory: string
  /** The shell commands that fill `$TARGET`, run in the directory of the lists. */
  readonly install: string
}

export const LIBRARIES: readonly Library[] = [
  {
    name: 'Django',
    directory: PYTHON,
    install: `python3 -m venv "$TARGET"
      "$TARGET"/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt`,
  },
  {
    name: 'Spring Boot',
    directory: JAVA,
    install: `mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$TARGET"/jars
      javac -cp "$TARGET/jars/*" -d "$TARGET" SpringApp.java`,
  },
]

/** True if the libraries are installed. */
export function isInstalled({ directory }: Library): boolean {
  return existsSync(directory)
}
