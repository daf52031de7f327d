//! The fields that a column of a file can be mapped to, and the headers that mean them.

use serde::{Deserialize, Serialize};

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
