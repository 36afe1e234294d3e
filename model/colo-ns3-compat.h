/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_NS3_COMPAT_H
#define COLO_NS3_COMPAT_H

#include "ns3/enum.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/node.h"
#include "ns3/object-factory.h"

#include <string>

/*
 * Where ns-3's versions differ, what is there decides, not a number: of each pair the first
 * function is taken if it compiles.
 */
namespace ns3
{

/** \cond of the functions below */
namespace colo_compat
{

template <typename Enum, typename Member>
auto
EnumAccessor(Member member, int) -> decltype(MakeEnumAccessor<Enum>(member))
{
    return MakeEnumAccessor<Enum>(member);
}

template <typename Enum, typename Member>
auto
EnumAccessor(Member member, long) -> decltype(MakeEnumAccessor(member))
{
    return MakeEnumAccessor(member);
}

template <typename Helper>
auto
UseTcp(Helper& helper, Ptr<Node>, const std::string& type, int) -> decltype(helper.SetTcp(type))
{
    helper.SetTcp(type);
}

/** Such a helper makes a TCP only where there is none. */
template <typename Helper>
void
UseTcp(Helper&, Ptr<Node> node, const std::string& type, long)
{
    node->AggregateObject(ObjectFactory(type).Create<Object>());
}

} // namespace colo_compat

/** \endcond */

/**
 * \param member pointer to a member that is an enum.
 * \return ns-3's accessor of it; from 3.41 on, that has to be told the type.
 */
template <typename Enum, typename Class>
Ptr<const AttributeAccessor>
ColoMakeEnumAccessor(Enum Class::*member)
{
    return colo_compat::EnumAccessor<Enum>(member, 0);
}

/**
 * \param helper about to install a stack.
 * \param node on which.
 * \param type the TypeId of the TCP to be in it.
 */
inline void
ColoUseTcp(InternetStackHelper& helper, Ptr<Node> node, const std::string& type)
{
    colo_compat::UseTcp(helper, node, type, 0);
}

} // namespace ns3

#endif /* COLO_NS3_COMPAT_H */
