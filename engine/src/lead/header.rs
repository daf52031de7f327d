//! Which column is which: headers are folded to lower-case letters and digits and looked up in one table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lineage::{self, Own};

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal: [$($variant:literal),*]),* $(,)?) => {
        /// A field that a column can be mapped to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $($(#[$doc])* $name),* }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Folded headers, the preferred one first.
            pub const fn variants(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($variant),*]),* }
            }
        }
    };
}

fields! {
    CompanyName = "company_name": ["companyname", "company", "businessname", "business", "organization"],
    ContactName = "contact_name": ["contactname", "contact", "ownername", "fullname", "keyperson", "principalname"],
    FirstName = "first_name": ["firstname", "first", "contactfirst", "contactfirstname", "ownerfirstname", "keypersonfirstname", "principalfirstname"],
    LastName = "last_name": ["lastname", "last", "contactlast", "contactlastname", "ownerlastname", "keypersonlastname", "principallastname"],
    Title = "title": ["title", "jobtitle", "position"],
    Email = "email": ["email", "emailaddress"],
    Phone = "phone": ["phone", "phonenumber", "telephone", "tel", "primaryphone"],
    DirectPhone = "direct_phone": ["directphone", "direct"],
    MobilePhone = "mobile_phone": ["cellphone", "cell", "mobile", "mobilephone"],
    LinkedinUrl = "linkedin_url": ["linkedinurl", "linkedin"],
    Address = "address": ["address", "streetaddress", "street", "address1", "propertyaddress"],
    Address2 = "address2": ["street2", "address2", "suite", "unit", "apt"],
    City = "city": ["city"],
    State = "state": ["state", "st"],
    Zip = "zip": ["zip", "zipcode", "postalcode"],
    County = "county": ["county"],
    AreaCode = "area_code": ["areacode"],
    Website = "website": ["website", "websiteurl", "webaddress", "web", "url"],
    Industry = "industry": ["industry", "businesstype"],
    SicCode = "sic_code": ["siccode", "sic", "primarysic", "primarysiccode"],
    SicDescription = "sic_description": ["sicdescription", "sicdesc", "primarysicdescription"],
    NaicsCode = "naics_code": ["naicscode", "naics"],
    NaicsDescription = "naics_description": ["naicsdescription", "naicsdesc"],
    EmployeeCount = "employee_count": ["employees", "numberofemployees", "numemployees", "employeecount", "empsize", "employeerange"],
    AnnualRevenue = "annual_revenue": ["revenue", "annualrevenue", "sales", "salesvolume", "annualsales"],
    YearEstablished = "year_established": ["yearestablished", "yearfounded"],
    HomeValue = "home_value": ["homevalue", "propertyvalue"],
    Income = "income": ["income", "estimatedincome"],
    Age = "age": ["age"],
    HomeOwner = "home_owner": ["homeowner", "owner"],
    LengthOfResidence = "length_of_residence": ["lengthofresidence", "yearsataddress", "yearsowned"],
    Properties = "properties": ["propertycount", "numberofproperties", "propertiesowned"],
    Equity = "equity": ["totalequity", "equity"],
    OptInDate = "opt_in_date": ["optindate", "signupdate"],
    OptInSource = "opt_in_source": ["optinsource", "signupsource", "source"],
    IpAddress = "ip_address": ["ipaddress", "ip"],
    MailingAddress = "mailing_address": ["mailaddress", "mailingaddress"],
    MailingCity = "mailing_city": ["mailcity", "mailingcity"],
    MailingState = "mailing_state": ["mailstate", "mailingstate"],
    MailingZip = "mailing_zip": ["mailzip", "mailingzip"],
}

/// `E-mail Address` and `email_address` are both `emailaddress`.
pub fn fold(header: &str) -> String {
    header.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// What each column of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    columns: Vec<Column>,
    exported: bool,
}

/// One column: the field it is mapped to, one of LUCI's own, or its header when it is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    Field(Field),
    Own(Own),
    Other(String),
}

impl Mapping {
    /// One header maps to one field, one field to one column: the variant listed first wins, then the leftmost column.
    pub fn of(headers: &[String]) -> Self {
        let folded: Vec<String> = headers.iter().map(|h| fold(h)).collect();
        let exported = lineage::exported(&folded);
        let mut columns: Vec<Option<Field>> = vec![None; headers.len()];
        for &field in Field::ALL {
            // An export names each field by its own name; what else sounds like it came with the lead.
            let own = exported.then(|| fold(field.as_str()));
            let mut names = own.as_deref().into_iter().chain(field.variants().iter().copied());
            if let Some(column) = names.find_map(|v| folded.iter().position(|f| f == v)) {
                columns[column] = Some(field);
            }
        }
        // A bare `name` is the company's, unless another column is.
        if !columns.contains(&Some(Field::CompanyName))
            && let Some(column) = folded.iter().position(|f| f == "name")
        {
            columns[column] = Some(Field::CompanyName);
        }
        let kind = |((field, header), folded): ((Option<Field>, String), &String)| match field {
            Some(field) => Column::Field(field),
            None if !exported => Column::Other(header),
            None => Own::of(folded).map_or_else(|| Column::Other(lineage::unescaped(header)), Column::Own),
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

    /// Columns that have a field.
    pub fn recognised(&self) -> usize {
        self.columns.iter().filter(|c| matches!(c, Column::Field(_))).count()
    }

    /// Field by header, as an upload's answer shows it.
    pub fn describe(&self, headers: &[String]) -> BTreeMap<String, Field> {
        let pairs = headers.iter().zip(&self.columns);
        pairs
            .filter_map(|(header, column)| match column {
                Column::Field(field) => Some((header.clone(), *field)),
                Column::Own(_) | Column::Other(_) => None,
            })
            .collect()
    }
}

/// Headers that can be keys: none empty, none twice.
fn unique(headers: &[String]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let name = |(i, header): (usize, &String)| {
        let base = if header.is_empty() { format!("column_{}", i + 1) } else { header.clone() };
        let name = if seen.contains(&base) { format!("{base}_{}", i + 1) } else { base };
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
        // `phone` is listed before `telephone`: the other keeps its own name.
        assert_eq!(mapping(&["Telephone", "Phone"]), [Other("Telephone".into()), F(Field::Phone)]);
        assert_eq!(mapping(&["Phone", "phone"]), [F(Field::Phone), Other("phone".into())]);
        assert_eq!(mapping(&["Name", "Fax"]), [F(Field::CompanyName), Other("Fax".into())]);
        assert_eq!(mapping(&["Name", "Company"]), [Other("Name".into()), F(Field::CompanyName)]);
        assert_eq!(mapping(&["", "", "City"]), [Other("column_1".into()), Other("column_2".into()), F(Field::City)]);
    }

    #[test]
    fn no_variant_names_two_fields_and_texts_are_those_of_json() {
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
