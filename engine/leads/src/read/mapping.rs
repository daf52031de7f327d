//! Maps the columns of a file to fields: headers are folded to lower-case letters and digits and looked up in one table.

use std::collections::BTreeMap;

use crate::{
    Field,
    read::export_columns::{self, ExportColumn},
};

/// Lower-case letters and digits only: `E-mail Address` and `email_address` are both `emailaddress`.
pub fn fold(header: &str) -> String {
    header.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The columns of a file in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    columns: Vec<Column>,
    exported: bool,
}

/// One column: the field it is mapped to, a column that LUCI adds to exports, or its header when it is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    Field(Field),
    Export(ExportColumn),
    Other(String),
}

impl Mapping {
    /// A header maps to one field and a field to one column: the variant listed first wins, then the leftmost column.
    pub fn of(headers: &[String]) -> Self {
        let folded: Vec<String> = headers.iter().map(|h| fold(h)).collect();
        let exported = export_columns::is_export(&folded);
        let mut columns: Vec<Option<Field>> = vec![None; headers.len()];
        for &field in Field::ALL {
            // An export names each field by its own name; other headers that would match are columns of the original file.
            let own = exported.then(|| fold(field.as_str()));
            let mut names = own.as_deref().into_iter().chain(field.variants().iter().copied());
            if let Some(column) = names.find_map(|v| folded.iter().position(|f| f == v)) {
                columns[column] = Some(field);
            }
        }
        // `name` alone is the company's name, unless another column is.
        if !columns.contains(&Some(Field::CompanyName))
            && let Some(column) = folded.iter().position(|f| f == "name")
        {
            columns[column] = Some(Field::CompanyName);
        }
        let kind = |((field, header), folded): ((Option<Field>, String), &String)| match field {
            Some(field) => Column::Field(field),
            None if !exported => Column::Other(header),
            None => ExportColumn::of(folded)
                .map_or_else(|| Column::Other(export_columns::unescaped(header)), Column::Export),
        };
        let named = columns.into_iter().zip(unique(headers)).zip(&folded);
        Self { columns: named.map(kind).collect(), exported }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether the file is an export of failed leads.
    pub const fn exported(&self) -> bool {
        self.exported
    }

    /// The number of columns that are mapped to a field.
    pub fn recognised(&self) -> usize {
        self.columns.iter().filter(|c| matches!(c, Column::Field(_))).count()
    }

    /// Field by header, as the response to an upload shows it.
    pub fn describe(&self, headers: &[String]) -> BTreeMap<String, Field> {
        let pairs = headers.iter().zip(&self.columns);
        pairs
            .filter_map(|(header, column)| match column {
                Column::Field(field) => Some((header.clone(), *field)),
                Column::Export(_) | Column::Other(_) => None,
            })
            .collect()
    }
}

/// Headers as keys: none empty, none twice.
fn unique(headers: &[String]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let name = |(i, header): (usize, &String)| {
        let unnumbered = if header.is_empty() { format!("column_{}", i + 1) } else { header.clone() };
        let name = if seen.contains(&unnumbered) { format!("{unnumbered}_{}", i + 1) } else { unnumbered };
        seen.insert(name.clone());
        name
    };
    headers.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(headers: &[&str]) -> Vec<Column> {
        Mapping::of(&headers.iter().map(|h| h.to_string()).collect::<Vec<_>>()).columns
    }

    #[test]
    fn headers_are_folded_and_the_first_variant_wins() {
        use Column::{Field as F, Other};
        assert_eq!(mapping(&["E-Mail Address", "COMPANY"]), [F(Field::Email), F(Field::CompanyName)]);
        // `phone` is listed before `telephone`, which keeps its header.
        assert_eq!(mapping(&["Telephone", "Phone"]), [Other("Telephone".into()), F(Field::Phone)]);
        assert_eq!(mapping(&["Phone", "phone"]), [F(Field::Phone), Other("phone".into())]);
        assert_eq!(mapping(&["Name", "Fax"]), [F(Field::CompanyName), Other("Fax".into())]);
        assert_eq!(mapping(&["Name", "Company"]), [Other("Name".into()), F(Field::CompanyName)]);
        assert_eq!(mapping(&["", "", "City"]), [Other("column_1".into()), Other("column_2".into()), F(Field::City)]);
    }

    #[test]
    fn no_variant_names_two_fields_and_as_str_is_the_json_name() {
        let mut seen = std::collections::BTreeMap::new();
        for &field in Field::ALL {
            assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
            for variant in field.variants() {
                assert_eq!(fold(variant), *variant);
                assert_eq!(seen.insert(*variant, field), None, "{variant}");
            }
        }
    }
}
