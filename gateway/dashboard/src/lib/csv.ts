// CSV as RFC 4180: for the preview of a file before its upload, and for corrected failed leads.

/** The records of a text. `most` limits them; a record that the text cuts off at its end is left out then. */
export function parseCsv(text: string, delimiter = ',', most = Number.POSITIVE_INFINITY): string[][] {
  const records: string[][] = []
  let record: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < text.length && records.length < most; i++) {
    const c = text[i]!
    if (quoted) {
      if (c !== '"') cell += c
      else if (text[i + 1] === '"') cell += text[++i]
      else quoted = false
    } else if (c === '"' && cell === '') quoted = true
    else if (c === delimiter) {
      record.push(cell)
      cell = ''
    } else if (c === '\n' || c === '\r') {
      if (c === '\r' && text[i + 1] === '\n') i++
      record.push(cell)
      cell = ''
      if (record.length > 1 || record[0] !== '') records.push(record)
      record = []
    } else cell += c
  }
  if (records.length < most && (cell !== '' || record.length)) records.push([...record, cell])
  return records
}

export const csvLine = (cells: string[]) => cells.map((cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')
