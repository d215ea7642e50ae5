//! Users and their keys for Hawk.

use axum::{Json, Router};
use slipway_coreupdate::wire::{AdminListUsersResp, AdminUser, AdminUserReq, GenerateUuidResp};

use super::{Answer, Call, Failure, NoBody, mount};
use crate::{
    app::App,
    ids::{UserName, new_uuid},
    store::Role,
};

pub(super) fn routes(router: Router<App>) -> Router<App> {
    let router = mount(router, "update.admin.listUsers", list);
    let router = mount(router, "update.admin.createUser", create);
    let router = mount(router, "update.admin.getUser", show);
    let router = mount(router, "update.admin.deleteUser", delete);
    let router = mount(router, "update.admin.genToken", renew);
    mount(router, "update.util.uuid", uuid)
}

fn without_token(name: &UserName) -> AdminUser {
    AdminUser { token: String::new(), user: name.to_string() }
}

async fn list(call: Call<NoBody>) -> Answer<AdminListUsersResp> {
    let users = call.app.store.users().await?;
    Ok(Json(AdminListUsersResp {
        users: users.iter().map(|user| without_token(&user.name)).collect(),
    }))
}

/// A new user is an administrator, as all of CoreUpdate's were.
async fn create(call: Call<AdminUserReq>) -> Answer<AdminUser> {
    let name: UserName = call.body.user_name.parse()?;
    let token = call.app.store.create_user(&call.by, &name, Role::Admin).await?;
    Ok(Json(AdminUser { token, user: name.to_string() }))
}

async fn show(call: Call<NoBody>) -> Answer<AdminUser> {
    let name: UserName = call.parsed("userName")?;
    let user = call.app.store.user(&name).await?.ok_or_else(|| Failure::missing("user", &name))?;
    Ok(Json(without_token(&user.name)))
}

async fn delete(call: Call<NoBody>) -> Answer<AdminUser> {
    let name: UserName = call.parsed("userName")?;
    call.app.store.delete_user(&call.by, &name).await?;
    Ok(Json(without_token(&name)))
}

async fn renew(call: Call<AdminUserReq>) -> Answer<AdminUser> {
    let name: UserName = call.parsed("userName")?;
    let token = call.app.store.renew_hawk_key(&call.by, &name).await?;
    Ok(Json(AdminUser { token, user: name.to_string() }))
}

async fn uuid(_call: Call<NoBody>) -> Json<GenerateUuidResp> {
    Json(GenerateUuidResp { uuid: new_uuid() })
}
